//! Structural schemas: types, enumerations, patterns, and no unknown fields.

use std::collections::BTreeSet;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

/// Compiles a validator of whole objects from the schema of a definition.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let text = json!({ "type": "string" });
        properties.insert("apiVersion".into(), text.clone());
        properties.insert("kind".into(), text);
        properties.insert("metadata".into(), metadata());
    }
    close(&mut schema);
    jsonschema::draft202012::new(&schema).map_err(|error| error.to_string())
}

/// Returns the violations of the schema by an object.
pub(super) fn complaints(validator: &Validator, object: &Value) -> Vec<String> {
    let errors = validator.iter_errors(object).map(|error| {
        let place = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                format!("{}/{}: unknown field", place, unexpected.join(", "))
            }
            _ => format!("{place}: {error}"),
        }
    });
    // A branch of `oneOf` repeats errors of the schema beside it.
    errors.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The schema of the metadata that the author of an object may set.
fn metadata() -> Value {
    let name = json!({ "type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" });
    let key = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": name,
            "namespace": name,
            "labels": {
                "type": "object",
                "propertyNames": { "pattern": key },
                "additionalProperties": {
                    "type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
                },
            },
            "annotations": {
                "type": "object",
                "propertyNames": { "pattern": key },
                "additionalProperties": { "type": "string" },
            },
        },
    })
}

/// Converts a structural schema to JSON Schema: an object has no undeclared fields, except with
/// `x-kubernetes-preserve-unknown-fields`; `nullable` is a type.
fn close(schema: &mut Value) {
    let Some(node) = schema.as_object_mut() else {
        return;
    };
    // JSON Schema does not have the formats of Kubernetes, such as int32.
    node.remove("format");
    let keeps = node.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if node.contains_key("properties") && !node.contains_key("additionalProperties") && !keeps {
        node.insert("additionalProperties".into(), Value::Bool(false));
    }
    if node.remove("nullable") == Some(Value::Bool(true))
        && let Some(kind) = node.get_mut("type")
    {
        *kind = json!([kind.clone(), "null"]);
    }
    for key in ["additionalProperties", "items"] {
        if let Some(child) = node.get_mut(key) {
            close(child);
        }
    }
    if let Some(properties) = node.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
}
