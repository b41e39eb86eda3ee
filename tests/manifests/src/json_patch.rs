//! JSON patches, RFC 6902: `add`, `replace` and `remove`.

use serde_json::Value;

/// Applies a list of operations in order.
///
/// # Errors
/// An operation is not supported, or its path does not exist. The message names it.
pub fn apply(operations: &Value, document: &mut Value) -> Result<(), String> {
    let operations = operations
        .as_array()
        .ok_or("the patch is not a list of operations")?;
    operations
        .iter()
        .try_for_each(|operation| one(operation, document))
}

fn one(operation: &Value, document: &mut Value) -> Result<(), String> {
    let text = |key| {
        operation
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let path = text("path");
    let missing = || format!("there is no {path} to {}", text("op"));
    let (parent, key) = path.rsplit_once('/').ok_or_else(missing)?;
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = document.pointer_mut(parent).ok_or_else(missing)?;
    let value = || operation.get("value").cloned().unwrap_or_default();
    match (text("op"), parent) {
        ("add", Value::Object(members)) => {
            members.insert(key, value());
        }
        ("add", Value::Array(items)) => match key.parse() {
            Ok(index) if index <= items.len() => items.insert(index, value()),
            _ if key == "-" => items.push(value()),
            _ => return Err(missing()),
        },
        ("replace", parent) => {
            let old = match parent {
                Value::Object(members) => members.get_mut(&key),
                Value::Array(items) => key
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get_mut(index)),
                _ => None,
            };
            *old.ok_or_else(missing)? = value();
        }
        ("remove", Value::Object(members)) => {
            members.remove(&key).ok_or_else(missing)?;
        }
        ("remove", Value::Array(items)) => match key.parse() {
            Ok(index) if index < items.len() => drop(items.remove(index)),
            _ => return Err(missing()),
        },
        (op, _) => return Err(format!("`{op}` at {path} is not supported")),
    }
    Ok(())
}
