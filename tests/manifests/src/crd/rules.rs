//! `x-kubernetes-validations`: CEL rules, each evaluated with the value of its schema node as
//! `self`.

use std::collections::BTreeMap;

use cel::{Context, Program};
use serde_json::Value;

use super::functions;

/// The rules of a schema, compiled.
#[derive(Debug)]
pub(super) struct Rules {
    programs: BTreeMap<String, Program>,
}

impl Rules {
    /// Compiles all rules of a schema.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        let mut programs = BTreeMap::new();
        compile(schema, &mut programs)?;
        Ok(Self { programs })
    }

    /// The rules that an object violates. As in an API server, a rule that cannot be evaluated
    /// counts as violated.
    pub(super) fn complaints(&self, schema: &Value, object: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        self.walk(schema, object, "", &mut complaints);
        complaints
    }

    fn walk(&self, schema: &Value, value: &Value, path: &str, complaints: &mut Vec<String>) {
        if value.is_null() {
            return;
        }
        for rule in rules(schema) {
            complaints.extend(
                self.judge(rule, value)
                    .map(|complaint| format!("{path}: {complaint}")),
            );
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let known = schema.get("properties").and_then(|known| known.get(name));
                    if let Some(schema) = known.or_else(|| schema.get("additionalProperties")) {
                        self.walk(schema, member, &format!("{path}/{name}"), complaints);
                    }
                }
            }
            Value::Array(items) => {
                complaints
                    .extend(repeated_key(schema, items).map(|twice| format!("{path}: {twice}")));
                for (index, item) in items.iter().enumerate() {
                    if let Some(schema) = schema.get("items") {
                        self.walk(schema, item, &format!("{path}/{index}"), complaints);
                    }
                }
            }
            _ => {}
        }
    }

    /// Evaluates a rule. Returns the message if it is violated.
    fn judge(&self, rule: &Value, value: &Value) -> Option<String> {
        let source = rule.get("rule").and_then(Value::as_str)?;
        let message = rule
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or(source);
        let mut context = Context::default();
        functions::register(&mut context).ok()?;
        context.add_variable_from_value("self", functions::value(value));
        match self.programs.get(source)?.execute(&context) {
            Ok(cel::Value::Bool(true)) => None,
            Ok(_) => Some(message.to_owned()),
            Err(error) => Some(format!("{message} ({error})")),
        }
    }
}

/// The rules of one node. Transition rules do not apply to a new object.
fn rules(schema: &Value) -> impl Iterator<Item = &Value> {
    let rules = schema
        .get("x-kubernetes-validations")
        .and_then(Value::as_array);
    rules.into_iter().flatten().filter(|rule| {
        let source = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
        !source.contains("oldSelf")
    })
}

fn compile(schema: &Value, programs: &mut BTreeMap<String, Program>) -> Result<(), String> {
    for rule in rules(schema) {
        let source = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
        let program =
            Program::compile(source).map_err(|error| format!("rule `{source}`: {error}"))?;
        programs.insert(source.to_owned(), program);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let children = properties
        .into_iter()
        .flat_map(|properties| properties.values());
    let nested = ["items", "additionalProperties"].map(|key| schema.get(key));
    for child in children.chain(nested.into_iter().flatten()) {
        compile(child, programs)?;
    }
    Ok(())
}

/// The violation of a list with map keys in which two items have the same key.
fn repeated_key(schema: &Value, items: &[Value]) -> Option<String> {
    let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
    let key_of = |item: &Value| -> Vec<Value> {
        let keys = keys.iter().filter_map(Value::as_str);
        keys.map(|key| item.get(key).cloned().unwrap_or_default())
            .collect()
    };
    let mut seen = Vec::new();
    for item in items {
        let key = key_of(item);
        if seen.contains(&key) {
            return Some(format!("{} occurs twice", Value::Array(key)));
        }
        seen.push(key);
    }
    None
}
