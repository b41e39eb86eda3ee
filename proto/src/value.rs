//! Reads and builds JSON-like values. A value of another kind than expected is empty, as in
//! Istio's filters.

use crate::{Kind, Struct, Value};

impl Value {
    /// The string, or `""` for every other kind.
    pub fn as_str(&self) -> &str {
        match &self.kind {
            Some(Kind::StringValue(string)) => string,
            _ => "",
        }
    }
}

impl Struct {
    /// The string member `key`; `""` if it is missing or of another kind.
    pub fn string(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", Value::as_str)
    }

    /// The struct member `key`; `None` if it is missing or of another kind.
    pub fn child(&self, key: &str) -> Option<&Self> {
        match &self.fields.get(key)?.kind {
            Some(Kind::StructValue(child)) => Some(child),
            _ => None,
        }
    }

    /// Sets the member `key`.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.fields.insert(key.into(), value.into());
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { kind: Some(kind) }
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Self {
        Kind::StringValue(string.into()).into()
    }
}

impl From<Struct> for Value {
    fn from(fields: Struct) -> Self {
        Kind::StructValue(fields).into()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Struct {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(members: T) -> Self {
        let mut message = Self::default();
        // Not collected: a map sorts what it collects, which costs the .wasm 5 KiB per kind of map.
        for (key, value) in members {
            message.insert(key, value);
        }
        message
    }
}
