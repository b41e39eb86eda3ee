//! Objects in filter state, and the types that wasm filters declare for theirs.
//!
//! Statuses and encodings are measured with Envoy 1.40. Envoy: `CelState`, `CelStatePrototype`.

use super::Value;
use super::structs::{from_list, from_proto, from_struct, to_struct};
use prost::Message;
use std::collections::BTreeMap;

/// Filter state by key; a wasm filter's property `x` has the key `wasm.x`.
pub(crate) type FilterState = BTreeMap<String, StateObject>;

/// What the bytes of an object are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Content {
    #[default]
    Bytes,
    String,
    Struct,
    Value,
    ListValue,
    StringValue,
    /// A FlatBuffer or a message that the emulator does not know: there, but not to be read.
    Unknown,
}

/// What `declare_property` says of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Prototype {
    content: Content,
    readonly: bool,
}

/// An object: the bytes it was set with, and what they mean to whoever walks into them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct StateObject {
    prototype: Prototype,
    bytes: Vec<u8>,
    value: Value,
}

impl Prototype {
    /// The numbers are those of `envoy.source.extensions.common.wasm.WasmType`; a message is named by its type URL.
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

impl StateObject {
    pub(crate) fn new(prototype: Prototype, bytes: Vec<u8>) -> Self {
        let value = prototype.content.read(&bytes);
        Self {
            prototype,
            bytes,
            value,
        }
    }

    /// A string, as most of Envoy's own objects read.
    pub(crate) fn string(text: String) -> Self {
        let content = Content::String;
        let readonly = false;
        Self::new(Prototype { content, readonly }, text.into_bytes())
    }

    /// As a filter of Envoy's own leaves it: a map as a Struct, anything else as what it encodes to.
    pub(crate) fn of(value: Value) -> Self {
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

    /// Other bytes, of the same type; `None` for what can be set only once.
    pub(crate) fn replaced(&self, bytes: Vec<u8>) -> Option<Self> {
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
    fn what_was_declared_read_only_is_set_once() {
        let once = StateObject::new(Prototype::new(1, "", true), b"x".to_vec());
        assert_eq!(once.replaced(b"y".to_vec()), None);
        let again = StateObject::string("x".into()).replaced(b"y".to_vec());
        assert_eq!(again, Some(StateObject::string("y".into())));
    }
}
