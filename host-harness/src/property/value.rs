//! Typed property values and their encodings.

use std::collections::BTreeMap;

use crate::abi::{HostResult, Status, length};

/// A property value with the type of Envoy's CEL value.
///
/// ```
/// use host_harness::Value;
///
/// let labels = Value::map([("app", Value::from("reviews")), ("port", Value::Int(9080))]);
/// assert_eq!(labels.at(["port"]).unwrap().encode().unwrap(), 9080_i64.to_le_bytes());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Value {
    /// `kNull`: the property exists, but has no encoding.
    #[default]
    Null,
    /// Encoded as one byte.
    Bool(bool),
    /// Encoded as 8 bytes, little endian.
    Int(i64),
    /// Encoded as 8 bytes, little endian.
    Uint(u64),
    /// Encoded as 8 bytes, little endian.
    Double(f64),
    /// Encoded without a terminator.
    String(String),
    /// Encoded unchanged.
    Bytes(Vec<u8>),
    /// Encoded as a pair list of the elements and empty strings; a path selects by index.
    List(Vec<Self>),
    /// Encoded as a pair list; a path selects by key.
    Map(BTreeMap<String, Self>),
    /// A protobuf message, encoded in its wire form; a path selects by field name.
    Message {
        /// The wire form.
        encoded: Vec<u8>,
        /// The fields that a path can select.
        fields: BTreeMap<String, Self>,
    },
    /// An attribute root such as `connection` or `xds`: a path selects a field, the root itself has
    /// no encoding (`SerializationFailure`).
    Attributes(BTreeMap<String, Self>),
    /// An object whose bytes do not have its type: `SerializationFailure`, and an error in an
    /// expression.
    Invalid,
}

impl Value {
    /// Returns a map of named values.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(collect(entries))
    }

    /// Returns an attribute root of named values.
    pub(crate) fn attributes<K: Into<String>>(
        entries: impl IntoIterator<Item = (K, Self)>,
    ) -> Self {
        Self::Attributes(collect(entries))
    }

    /// Returns a message without fields.
    pub(crate) fn message() -> Self {
        Self::Message {
            encoded: Vec::new(),
            fields: BTreeMap::new(),
        }
    }

    /// Returns the value at a path below this one. Envoy: `Context::getProperty`.
    pub fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |value, part| match value {
            Self::Map(fields) | Self::Attributes(fields) | Self::Message { fields, .. } => {
                fields.get(part)
            }
            Self::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// Returns the bytes that a filter receives. Envoy: `serializeValue`.
    ///
    /// # Errors
    /// `SerializationFailure` if the value is or contains a null, an attribute root or an invalid
    /// object.
    pub fn encode(&self) -> HostResult<Vec<u8>> {
        Ok(match self {
            Self::Null | Self::Attributes(_) | Self::Invalid => {
                return Err(Status::SerializationFailure);
            }
            Self::Bool(value) => vec![u8::from(*value)],
            Self::Int(value) => value.to_le_bytes().to_vec(),
            Self::Uint(value) => value.to_le_bytes().to_vec(),
            Self::Double(value) => value.to_le_bytes().to_vec(),
            Self::String(value) => value.clone().into_bytes(),
            Self::Bytes(value) => value.clone(),
            Self::Message { encoded, .. } => encoded.clone(),
            Self::List(items) => {
                let pairs: Vec<_> = items
                    .iter()
                    .map(|item| Ok((item.encode()?, Vec::new())))
                    .collect::<HostResult<_>>()?;
                encode_pairs(&pairs)
            }
            Self::Map(entries) => {
                let pairs: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone().into_bytes(), value.encode()?)))
                    .collect::<HostResult<_>>()?;
                encode_pairs(&pairs)
            }
        })
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// JSON as a `google.protobuf.Struct`: every number is a double.
impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(value) => Self::Double(value.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(value) => Self::String(value.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(fields) => Self::Map(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

fn collect<K: Into<String>>(
    entries: impl IntoIterator<Item = (K, Value)>,
) -> BTreeMap<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

/// proxy-wasm's list of pairs: `u32 count, (u32 key length, u32 value length)*, (key NUL value
/// NUL)*`.
pub(crate) fn encode_pairs(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = length(pairs.len()).to_le_bytes().to_vec();
    for (key, value) in pairs {
        out.extend(length(key.len()).to_le_bytes());
        out.extend(length(value.len()).to_le_bytes());
    }
    for (key, value) in pairs {
        out.extend_from_slice(key);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian_and_bools_one_byte() {
        assert_eq!(Value::Int(-2).encode(), Ok((-2_i64).to_le_bytes().to_vec()));
        assert_eq!(Value::Uint(7).encode(), Ok(vec![7, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(Value::Bool(true).encode(), Ok(vec![1]));
    }

    #[test]
    fn a_map_is_a_pair_list() {
        let map = Value::map([("a", Value::from("xy")), ("bc", Value::from(""))]);
        let expected = [2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(map.encode(), Ok([&expected[..], b"a\0xy\0bc\0\0"].concat()));
    }

    #[test]
    fn a_list_pairs_its_elements_with_nothing_and_is_selected_by_index() {
        let list = Value::List(vec![Value::from("x"), Value::from("y")]);
        let expected = [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(list.encode(), Ok([&expected[..], b"x\0\0y\0\0"].concat()));
        assert_eq!(list.at(["1"]), Some(&Value::from("y")));
        assert_eq!(list.at(["2"]), None);
        assert_eq!(list.at(["-1"]), None);
    }

    #[test]
    fn roots_and_nulls_have_no_encoding() {
        let root = Value::attributes([("id", Value::from("x"))]);
        assert_eq!(root.encode(), Err(Status::SerializationFailure));
        assert_eq!(
            Value::map([("a", Value::Null)]).encode(),
            Err(Status::SerializationFailure)
        );
    }

    #[test]
    fn a_path_does_not_select_in_a_scalar() {
        assert_eq!(Value::from("x").at(["y"]), None);
    }
}
