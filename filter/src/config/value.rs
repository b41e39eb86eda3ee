//! JSON values that know where they stand, so that every fault names its place.

use std::fmt;

use serde_json::{Map, Value};

use super::DurationError;

/// Why a configuration is refused.
///
/// `path` is the key's place in the document, written `peer_exchange.clusters[2]`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not JSON.
    NotJson {
        /// Where and what, in the parser's words.
        reason: String,
    },
    /// A key that does not exist.
    UnknownKey {
        /// The key's place.
        path: String,
        /// The closest key that does exist.
        nearest: &'static str,
        /// Every key that exists there.
        allowed: &'static [&'static str],
    },
    /// A value of the wrong JSON type.
    WrongType {
        /// The key's place.
        path: String,
        /// The type that belongs there.
        expected: &'static str,
        /// The type and, if short, the value that stands there.
        found: String,
    },
    /// A text that is none of the allowed ones.
    UnknownValue {
        /// The key's place.
        path: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: Vec<&'static str>,
    },
    /// A text that is no reporting period.
    Duration {
        /// The key's place.
        path: String,
        /// What stands there.
        found: String,
        /// What is wrong with it.
        reason: DurationError,
    },
}

impl ConfigError {
    pub(super) fn not_json(error: serde_json::Error) -> Self {
        Self::NotJson {
            reason: error.to_string(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { reason } => write!(f, "the configuration is not JSON: {reason}"),
            Self::UnknownKey {
                path,
                nearest,
                allowed,
            } => write!(
                f,
                "{path}: no such key; did you mean {nearest:?}? Allowed here: {}",
                allowed.join(", ")
            ),
            Self::WrongType {
                path,
                expected,
                found,
            } => {
                write!(f, "{path}: expected {expected}, found {found}")
            }
            Self::UnknownValue {
                path,
                found,
                allowed,
            } => {
                write!(f, "{path}: {found:?} is none of: {}", allowed.join(", "))
            }
            Self::Duration {
                path,
                found,
                reason,
            } => write!(f, "{path}: {found:?} {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A JSON object and its place.
pub(super) struct Object<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The document itself.
    pub(super) fn root(document: &'a Value) -> Result<Self, ConfigError> {
        Field {
            path: String::new(),
            name: "",
            value: document,
        }
        .object()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Field<'a>> + '_ {
        self.map.iter().map(|(name, value)| {
            let path = match self.path.as_str() {
                "" => name.clone(),
                parent => format!("{parent}.{name}"),
            };
            Field { path, name, value }
        })
    }
}

/// A key, its place and its value.
pub(super) struct Field<'a> {
    path: String,
    name: &'a str,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn object(&self) -> Result<Object<'a>, ConfigError> {
        let map = self
            .value
            .as_object()
            .ok_or_else(|| self.wrong_type("an object"))?;
        Ok(Object {
            path: self.path.clone(),
            map,
        })
    }

    pub(super) fn string(&self) -> Result<&'a str, ConfigError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong_type("a string"))
    }

    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    pub(super) fn strings(&self) -> Result<Vec<String>, ConfigError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type("a list of strings"))?;
        let item = |(index, value)| {
            let path = format!("{}[{index}]", self.path);
            Field {
                path,
                name: self.name,
                value,
            }
            .string()
            .map(str::to_owned)
        };
        items.iter().enumerate().map(item).collect()
    }

    /// The value that a text stands for.
    pub(super) fn one_of<T: Copy>(&self, table: &[(&'static str, T)]) -> Result<T, ConfigError> {
        let text = self.string()?;
        match table.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => Err(ConfigError::UnknownValue {
                path: self.path.clone(),
                found: text.to_owned(),
                allowed: table.iter().map(|(name, _)| *name).collect(),
            }),
        }
    }

    /// The error for a key that is none of `allowed`.
    pub(super) fn unknown(&self, allowed: &'static [&'static str]) -> ConfigError {
        let nearest = allowed.iter().min_by_key(|name| distance(self.name, name));
        ConfigError::UnknownKey {
            path: self.path.clone(),
            nearest: nearest.copied().unwrap_or_default(),
            allowed,
        }
    }

    pub(super) fn duration(&self, found: &str, reason: DurationError) -> ConfigError {
        ConfigError::Duration {
            path: self.path.clone(),
            found: found.to_owned(),
            reason,
        }
    }

    fn wrong_type(&self, expected: &'static str) -> ConfigError {
        let path = match self.path.as_str() {
            "" => "the configuration".to_owned(),
            path => path.to_owned(),
        };
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Number(value) => format!("the number {value}"),
            Value::String(value) => format!("the string {value:?}"),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        ConfigError::WrongType {
            path,
            expected,
            found,
        }
    }
}

/// The Levenshtein distance: how many characters to add, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = cost.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("mode", "mod", 1),
            ("mode", "node", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }
}
