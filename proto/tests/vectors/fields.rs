use serde_json::{Map, Value as Json};

use crate::check::{FormatError, shorten};

/// The members of a JSON object. Errors contain the name of the vector and the path of the field.
pub(crate) struct Fields<'a> {
    vector: String,
    path: String,
    members: &'a Map<String, Json>,
}

impl<'a> Fields<'a> {
    /// The members of a vector.
    pub(crate) fn of(vector: &str, json: &'a Json) -> Result<Self, FormatError> {
        let (vector, path) = (vector.to_owned(), String::new());
        match json.as_object() {
            Some(members) => Ok(Self {
                vector,
                path,
                members,
            }),
            None => {
                let (field, got) = ("(whole)".to_owned(), shorten(&json.to_string()));
                Err(FormatError::Unexpected {
                    vector,
                    field,
                    expected: "an object",
                    got,
                })
            }
        }
    }

    /// Whether the member exists; it may be null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a String> {
        self.members.keys()
    }

    pub(crate) fn string(&self, name: &str) -> Result<&'a str, FormatError> {
        self.required(name, self.optional_string(name)?)
    }

    pub(crate) fn optional_string(&self, name: &str) -> Result<Option<&'a str>, FormatError> {
        self.read(name, "a string", Json::as_str)
    }

    pub(crate) fn optional_bool(&self, name: &str) -> Result<Option<bool>, FormatError> {
        self.read(name, "true or false", Json::as_bool)
    }

    pub(crate) fn optional_size(&self, name: &str) -> Result<Option<usize>, FormatError> {
        self.read(name, "a number of bytes", |json| {
            usize::try_from(json.as_u64()?).ok()
        })
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, FormatError> {
        self.required(name, self.optional_bytes(name)?)
    }

    pub(crate) fn optional_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, FormatError> {
        self.read(name, "bytes in hex", |json| {
            hex::decode(json.as_str()?).ok()
        })
    }

    pub(crate) fn list(&self, name: &str) -> Result<Option<&'a [Json]>, FormatError> {
        self.read(name, "a list", |json| json.as_array().map(Vec::as_slice))
    }

    /// A nested object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Json>>, FormatError> {
        self.read(name, "an object", Json::as_object)
    }

    /// The members of a nested object.
    pub(crate) fn child(&self, name: &str) -> Result<Option<Self>, FormatError> {
        let members = self.object(name)?;
        Ok(members.map(|members| self.within(name, members)))
    }

    /// The objects of a nested list.
    pub(crate) fn children(&self, name: &str) -> Result<Vec<Self>, FormatError> {
        let list = self.list(name)?.unwrap_or_default();
        list.iter()
            .enumerate()
            .map(|(index, json)| {
                let name = format!("{name}[{index}]");
                match json.as_object() {
                    Some(members) => Ok(self.within(&name, members)),
                    None => Err(self.unexpected(&name, "an object", json)),
                }
            })
            .collect()
    }

    /// Reads a member with `read`; `None` if it is missing or null.
    ///
    /// # Errors
    /// `read` returns `None`: the member is not as `expected`.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, FormatError> {
        let Some(json) = self.members.get(name).filter(|json| !json.is_null()) else {
            return Ok(None);
        };
        read(json)
            .map(Some)
            .ok_or_else(|| self.unexpected(name, expected, json))
    }

    /// Returns the value.
    ///
    /// # Errors
    /// The member is missing.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, FormatError> {
        value.ok_or_else(|| FormatError::Missing {
            vector: self.vector.clone(),
            field: self.field(name),
        })
    }

    fn unexpected(&self, name: &str, expected: &'static str, got: &Json) -> FormatError {
        FormatError::Unexpected {
            vector: self.vector.clone(),
            field: self.field(name),
            expected,
            got: shorten(&got.to_string()),
        }
    }

    fn within(&self, name: &str, members: &'a Map<String, Json>) -> Self {
        let (vector, path) = (self.vector.clone(), format!("{}.", self.field(name)));
        Self {
            vector,
            path,
            members,
        }
    }

    fn field(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }
}
