//! Reading parts of a document into types, with the path of whatever is wrong or not known.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Why a bootstrap cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is neither YAML nor JSON.
    #[error("{path} is not well-formed: {reason}")]
    Syntax {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A field is missing or has a value that Envoy would not take either.
    #[error("{path}: {reason}")]
    Invalid {
        /// The field.
        path: String,
        /// Why.
        reason: String,
    },
    /// Envoy knows it, the harness does not.
    #[error("{path} is not supported: {reason}")]
    Unsupported {
        /// The field.
        path: String,
        /// What is.
        reason: String,
    },
}

impl ConfigError {
    pub(crate) fn invalid(path: impl Into<String>, reason: impl ToString) -> Self {
        Self::Invalid {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn unsupported(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// What becomes of fields that the harness does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They are named in a warning.
    Warn,
    /// They are an error: ignoring them could let in what they keep out.
    Refuse,
}

/// Reads parts of one document.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What was ignored.
    pub(crate) warnings: Vec<String>,
}

impl Reader {
    /// Reads the value at `path`.
    pub(crate) fn read<T: DeserializeOwned>(
        &mut self,
        value: Value,
        path: &str,
        unknown: Unknown,
    ) -> Result<T, ConfigError> {
        let mut ignored = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
        let read = serde_ignored::deserialize(tracked, |field| ignored.push(render(&field)));
        let read = read.map_err(|error: serde_json::Error| {
            let inner = track.path().to_string();
            let inner = if inner == "." { "" } else { &inner };
            ConfigError::invalid(join(path, inner), error)
        })?;
        for field in ignored {
            let field = join(path, &field);
            match unknown {
                Unknown::Warn => self
                    .warnings
                    .push(format!("{field} is not supported and has no effect")),
                Unknown::Refuse => {
                    return Err(ConfigError::unsupported(field, "take it out"));
                }
            }
        }
        Ok(read)
    }

    /// Reads what is in an `Any` at `path`.
    pub(crate) fn any<T: DeserializeOwned>(
        &mut self,
        any: &Any,
        path: &str,
        unknown: Unknown,
    ) -> Result<T, ConfigError> {
        self.read(Value::Object(any.fields.clone()), path, unknown)
    }
}

/// A message of a type that it names itself.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Any {
    /// The full name of the type, such as `envoy.extensions.filters.network.wasm.v3.Wasm`.
    pub(crate) kind: String,
    pub(crate) fields: Map<String, Value>,
}

impl TryFrom<Value> for Any {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = value else {
            return Err("want an object with an \"@type\"".into());
        };
        match fields.remove("@type") {
            Some(Value::String(url)) => Ok(Self {
                kind: url.rsplit('/').next().unwrap_or_default().to_owned(),
                fields,
            }),
            _ => Err("want an \"@type\"".into()),
        }
    }
}

fn join(path: &str, field: &str) -> String {
    match (path, field) {
        (path, "") => path.to_owned(),
        ("", field) => field.to_owned(),
        (path, field) if field.starts_with('[') => format!("{path}{field}"),
        (path, field) => format!("{path}.{field}"),
    }
}

/// `a.b[0].c`.
fn render(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", render(parent)),
        Path::Map { parent, key } => join(&render(parent), key),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => render(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, serde::Deserialize)]
    struct Outer {
        #[allow(dead_code, reason = "read for its path")]
        items: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Inner {
        #[allow(dead_code, reason = "read for its path")]
        port: u16,
    }

    #[test]
    fn what_is_not_known_is_named_by_its_path() {
        let value = json!({"items": [{"port": 1}, {"port": 2, "colour": "red"}]});
        let mut reader = Reader::default();
        reader
            .read::<Outer>(value.clone(), "root", Unknown::Warn)
            .unwrap();
        assert_eq!(
            reader.warnings,
            ["root.items[1].colour is not supported and has no effect"]
        );
        let error = reader
            .read::<Outer>(value, "root", Unknown::Refuse)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "root.items[1].colour is not supported: take it out"
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let value = json!({"items": [{"port": 1}, {"port": 70000}]});
        let error = Reader::default()
            .read::<Outer>(value, "", Unknown::Warn)
            .unwrap_err();
        assert!(error.to_string().starts_with("items[1].port: "), "{error}");
    }

    #[test]
    fn an_any_names_its_type() {
        let any = Any::try_from(json!({"@type": "type.googleapis.com/a.B", "c": 1})).unwrap();
        assert_eq!((any.kind.as_str(), any.fields.len()), ("a.B", 1));
        assert!(Any::try_from(json!({})).is_err());
    }
}
