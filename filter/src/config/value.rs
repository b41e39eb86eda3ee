//! JSON values with their place in the document, which every error names.
//!
//! They are read without serde's derived deserialization: for the same keys it adds 54 KiB to the
//! .wasm of 345 KiB, with `serde_path_to_error` 87 KiB, and its errors lack the nearest valid name.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::duration;
use super::error::ConfigError;
use super::suggestion::nearest;

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
            name: Cow::Borrowed(""),
            value: document,
        }
        .object()
    }

    /// Its keys. As in protobuf's JSON, each may be written in snake_case or in camelCase.
    pub(super) fn fields(&self) -> Result<Vec<Field<'a>>, ConfigError> {
        let mut fields: Vec<Field<'a>> = Vec::with_capacity(self.map.len());
        for field in self.entries() {
            let field = Field {
                name: snake_case(field.name),
                ..field
            };
            if fields.iter().any(|other| other.name == field.name) {
                return Err(ConfigError::Repeated { path: field.path });
            }
            fields.push(field);
        }
        Ok(fields)
    }

    /// Its keys as they are, for objects whose keys are the user's own names.
    pub(super) fn entries(&self) -> impl Iterator<Item = Field<'a>> + '_ {
        self.map.iter().map(|(name, value)| Field {
            path: self.path_of(name),
            name: Cow::Borrowed(name.as_str()),
            value,
        })
    }

    /// The error for a required key that is missing.
    pub(super) fn missing(&self, name: &str) -> ConfigError {
        ConfigError::MissingKey {
            path: self.path_of(name),
        }
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        }
    }
}

/// A key, its place and its value.
pub(super) struct Field<'a> {
    path: String,
    name: Cow<'a, str>,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> &str {
        &self.path
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

    /// A boolean, or its name in a string, as in configurations of Istio 1.7.
    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number in any notation: the numbers of a `WasmPlugin` are floating-point ones.
    pub(super) fn integer(&self, allowed: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        let number = match (self.value.as_u64(), self.value.as_f64()) {
            (Some(number), _) => number,
            (None, Some(number)) if number >= 0.0 && number.fract() == 0.0 => number as u64,
            _ => return Err(self.wrong_type("a whole number")),
        };
        if allowed.contains(&number) {
            return Ok(number);
        }
        Err(ConfigError::OutOfRange {
            path: self.path.clone(),
            found: number,
            allowed: allowed.into_inner(),
        })
    }

    /// The elements of a list.
    pub(super) fn list(&self, expected: &'static str) -> Result<Vec<Self>, ConfigError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type(expected))?;
        let mut fields = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            fields.push(Field {
                path: format!("{}[{index}]", self.path),
                name: self.name.clone(),
                value,
            });
        }
        Ok(fields)
    }

    pub(super) fn strings(&self) -> Result<Vec<String>, ConfigError> {
        let items = self.list("a list of strings")?;
        items
            .iter()
            .map(|item| item.string().map(str::to_owned))
            .collect()
    }

    /// The value of a text in `table`.
    pub(super) fn one_of<T: Copy>(&self, table: &[(&'static str, T)]) -> Result<T, ConfigError> {
        let text = self.string()?;
        match table.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Ok(*value),
            None => Err(self.unknown_value(text, table.iter().map(|(name, _)| *name))),
        }
    }

    /// The error for a text that is none of `allowed`.
    pub(super) fn unknown_value<'b>(
        &self,
        found: &str,
        allowed: impl Iterator<Item = &'b str>,
    ) -> ConfigError {
        let allowed: Vec<String> = allowed.map(str::to_owned).collect();
        ConfigError::UnknownValue {
            path: self.path.clone(),
            found: found.to_owned(),
            nearest: nearest(found, allowed.iter().map(String::as_str)).to_owned(),
            allowed,
        }
    }

    /// The error for a key that is none of `allowed`.
    pub(super) fn unknown(&self, allowed: &'static [&'static str]) -> ConfigError {
        ConfigError::UnknownKey {
            path: self.path.clone(),
            nearest: nearest(&self.name, allowed.iter().copied()),
            allowed,
        }
    }

    /// A duration in Go's notation.
    pub(super) fn duration(&self) -> Result<Duration, ConfigError> {
        let text = self.string()?;
        duration::parse(text).map_err(|reason| ConfigError::Duration {
            path: self.path.clone(),
            found: text.to_owned(),
            reason,
        })
    }

    /// The name of a metric or a label.
    pub(super) fn identifier(&self, found: &str) -> Result<String, ConfigError> {
        let is_name = !found.is_empty()
            && !found.starts_with(|c: char| c.is_ascii_digit())
            && found.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name {
            return Ok(found.to_owned());
        }
        Err(ConfigError::Name {
            path: self.path.clone(),
            found: found.to_owned(),
        })
    }

    pub(super) fn wrong_type(&self, expected: &'static str) -> ConfigError {
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

/// `statPrefix` as `stat_prefix`; a text without capitals as it is.
fn snake_case(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.contains(|c: char| c.is_ascii_uppercase()) {
        return name;
    }
    let mut snake = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    Cow::Owned(snake)
}
