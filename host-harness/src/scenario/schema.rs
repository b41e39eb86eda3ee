//! The JSON Schema of scenario files.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::model::Scenario;

impl Scenario {
    /// Returns the JSON Schema (draft 2020-12) of scenario files, for editors and other programs. It
    /// is derived from the types that read the files.
    ///
    /// ```
    /// let schema = host_harness::scenario::Scenario::schema();
    /// assert!(schema["properties"]["steps"].is_object());
    /// ```
    pub fn schema() -> Value {
        let generator = SchemaSettings::draft2020_12().into_generator();
        let mut schema = generator.into_root_schema_for::<Self>().to_value();
        if let Some(schema) = schema.as_object_mut() {
            // A file with a base has the rest of what a scenario needs there.
            let whole = json!({ "required": ["name", "steps"] });
            let part = json!({ "required": ["base"] });
            schema.insert("anyOf".to_owned(), json!([whole, part]));
        }
        schema
    }
}
