//! Filter state: objects by key, with the types that wasm filters declare for theirs.
//!
//! Statuses and encodings are measured with Envoy 1.40. Envoy: `CelState`, `CelStatePrototype`.

use std::collections::BTreeMap;

use prost::Message;

use super::Value;
use super::structs::{from_list, from_proto, from_struct, to_struct};
use crate::abi::{HostResult, Status};

/// The filter state of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilterState(BTreeMap<String, StateObject>);

/// The encoding of an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Content {
    #[default]
    Bytes,
    String,
    Struct,
    Value,
    ListValue,
    StringValue,
    /// A FlatBuffer or an unknown message: the object exists, but has no readable fields.
    Unknown,
}

/// The declaration of a property by `declare_property`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Prototype {
    content: Content,
    readonly: bool,
}

/// An object: its bytes, and the value that paths and expressions read from them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StateObject {
    prototype: Prototype,
    bytes: Vec<u8>,
    value: Value,
}

impl Prototype {
    /// `kind` is a number of `envoy.source.extensions.common.wasm.WasmType`; for a message,
    /// `schema` is its type URL.
    pub(crate) fn new(kind: i32, schema: &str, readonly: bool) -> Self {
        let content = match kind {
            1 => Content::String,
            2 => Content::Unknown,
            3 => match schema.strip_prefix("type.googleapis.com/google.protobuf.") {
                Some("Struct") => Content::Struct,
                Some("Value") => Content::Value,
                Some("ListValue") => Content::ListValue,
                Some("StringValue") => Content::StringValue,
                _ => Content::Unknown,
            },
            _ => Content::Bytes,
        };
        Self { content, readonly }
    }
}

impl FilterState {
    pub(crate) fn get(&self, key: &str) -> Option<&StateObject> {
        self.0.get(key)
    }

    /// Sets a string, the type of most objects that Envoy's own filters set.
    pub(crate) fn set_string(&mut self, key: String, text: String) {
        self.0.insert(key, StateObject::string(text));
    }

    /// Sets an object as one of Envoy's own filters does: a map becomes a Struct, any other value
    /// its encoding.
    pub(crate) fn set_value(&mut self, key: String, value: Value) {
        self.0.insert(key, StateObject::of(value));
    }

    /// The object behind a property that a wasm filter set.
    pub(crate) fn property(&self, name: &str) -> Option<&StateObject> {
        self.0.get(&property_key(name))
    }

    /// Sets a property as a wasm filter does. The first call fixes the type.
    ///
    /// # Errors
    /// `BadArgument` if the property is read-only and was set before.
    pub(crate) fn set_property(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        declared: Prototype,
    ) -> HostResult {
        let key = property_key(name);
        let object = match self.0.get(&key) {
            Some(object) => object.replaced(bytes).ok_or(Status::BadArgument)?,
            None => StateObject::new(declared, bytes),
        };
        self.0.insert(key, object);
        Ok(())
    }

    /// All objects as an attribute root.
    pub(crate) fn to_value(&self) -> Value {
        let objects = self.0.iter();
        Value::attributes(objects.map(|(key, object)| (key.clone(), object.value().clone())))
    }
}

/// The key of a property that a wasm filter sets.
fn property_key(name: &str) -> String {
    format!("wasm.{name}")
}

impl StateObject {
    fn new(prototype: Prototype, bytes: Vec<u8>) -> Self {
        let value = prototype.content.read(&bytes);
        Self {
            prototype,
            bytes,
            value,
        }
    }

    fn string(text: String) -> Self {
        let content = Content::String;
        let readonly = false;
        Self::new(Prototype { content, readonly }, text.into_bytes())
    }

    fn of(value: Value) -> Self {
        let (content, bytes) = match &value {
            Value::Map(fields) => (Content::Struct, to_struct(fields).encode_to_vec()),
            Value::String(text) => (Content::String, text.clone().into_bytes()),
            other => (Content::Bytes, other.encode().unwrap_or_default()),
        };
        let readonly = false;
        Self {
            prototype: Prototype { content, readonly },
            bytes,
            value,
        }
    }

    /// An object of the same type with other bytes; `None` if this one is read-only.
    fn replaced(&self, bytes: Vec<u8>) -> Option<Self> {
        (!self.prototype.readonly).then(|| Self::new(self.prototype, bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }
}

impl Content {
    fn read(self, bytes: &[u8]) -> Value {
        match self {
            Self::Bytes => Value::Bytes(bytes.to_vec()),
            Self::String => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => Value::Bytes(bytes.to_vec()),
            },
            Self::Struct => message(bytes, from_struct),
            Self::Value => message(bytes, from_proto),
            Self::ListValue => message(bytes, from_list),
            Self::StringValue => message::<String>(bytes, Value::from),
            Self::Unknown => Value::Invalid,
        }
    }
}

fn message<M: Message + Default>(bytes: &[u8], read: impl FnOnce(M) -> Value) -> Value {
    M::decode(bytes).map_or(Value::Invalid, read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_walked_only_under_its_full_type_url() {
        let object = StateObject::of(Value::map([("workload", "ratings-v2".into())]));
        let bytes = object.bytes().to_vec();
        let url = "type.googleapis.com/google.protobuf.Struct";
        let declared = StateObject::new(Prototype::new(3, url, false), bytes.clone());
        assert_eq!(declared, object);
        let bare = Prototype::new(3, "google.protobuf.Struct", false);
        assert_eq!(StateObject::new(bare, bytes).value(), &Value::Invalid);
    }

    #[test]
    fn a_read_only_object_is_set_once() {
        let once = StateObject::new(Prototype::new(1, "", true), b"x".to_vec());
        assert_eq!(once.replaced(b"y".to_vec()), None);
        let again = StateObject::string("x".into()).replaced(b"y".to_vec());
        assert_eq!(again, Some(StateObject::string("y".into())));
    }
}
