//! CEL expressions over properties: the foreign functions `expr_create`, `expr_evaluate` and `expr_delete`.
//!
//! Statuses and encodings are measured with Envoy 1.40.

use super::Host;
use crate::abi::{HostResult, Status};
use crate::property::Value;
use cel::objects::Key;
use cel::{Context, Program};
use std::collections::HashMap;

/// The expressions of one VM. Each root counts its tokens from 0.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    sources: HashMap<(u32, u32), String>,
    created: HashMap<u32, u32>,
}

impl Host {
    /// The token of a new expression, 4 bytes; `BadArgument` for one that does not parse.
    pub(super) fn create_expression(&mut self, argument: &[u8]) -> HostResult<Vec<u8>> {
        let source = std::str::from_utf8(argument).map_err(|_| Status::BadArgument)?;
        if let Err(errors) = Program::compile(source) {
            self.process
                .logs
                .error(format!("expr_create parse error: {errors}"));
            return Err(Status::BadArgument);
        }
        let root = self.context()?.root;
        let created = self.expressions.created.entry(root).or_default();
        let token = *created;
        *created += 1;
        self.expressions
            .sources
            .insert((root, token), source.to_owned());
        Ok(token.to_le_bytes().to_vec())
    }

    /// The encoded result; `NotFound` for an unknown token, `InternalFailure` for an error of the evaluation.
    pub(super) fn evaluate_expression(&self, argument: &[u8]) -> HostResult<Vec<u8>> {
        let key = (self.context()?.root, token(argument)?);
        let source = self.expressions.sources.get(&key).ok_or(Status::NotFound)?;
        if let Some(path) = as_path(source) {
            return match self.get_property(&path) {
                Err(Status::NotFound) => Err(Status::InternalFailure),
                found => found,
            };
        }
        let program = Program::compile(source).map_err(|_| Status::InternalFailure)?;
        let mut context = Context::default();
        for name in program.references().variables() {
            if let Some(value) = self.property_root(name) {
                context.add_variable_from_value(name, to_cel(&value));
            }
        }
        let result = program
            .execute(&context)
            .map_err(|_| Status::InternalFailure)?;
        from_cel(&result)
            .ok_or(Status::SerializationFailure)?
            .encode()
    }

    /// Forgets an expression; an unknown token is fine.
    pub(super) fn delete_expression(&mut self, argument: &[u8]) -> HostResult<Vec<u8>> {
        let key = (self.context()?.root, token(argument)?);
        self.expressions.sources.remove(&key);
        Ok(Vec::new())
    }
}

fn token(argument: &[u8]) -> HostResult<u32> {
    argument
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Status::BadArgument)
}

/// An expression that only selects is a property path. It keeps Envoy's own encoding, which a CEL value would lose: of a
/// message its wire form, of an attribute root none.
fn as_path(source: &str) -> Option<String> {
    const LITERALS: [&str; 3] = ["true", "false", "null"];
    let source = source.trim();
    let identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    let selects = source.split('.').all(identifier) && !LITERALS.contains(&source);
    selects.then(|| source.replace('.', "\0"))
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Int(value) => cel::Value::Int(*value),
        Value::Uint(value) => cel::Value::UInt(*value),
        Value::Double(value) => cel::Value::Float(*value),
        Value::String(value) => cel::Value::String(value.clone().into()),
        Value::Bytes(value) => cel::Value::Bytes(value.clone().into()),
        Value::List(items) => cel::Value::List(items.iter().map(to_cel).collect::<Vec<_>>().into()),
        Value::Map(fields) | Value::Attributes(fields) | Value::Message { fields, .. } => {
            let entries = fields
                .iter()
                .map(|(key, value)| (key.clone(), to_cel(value)));
            entries.collect::<HashMap<String, cel::Value>>().into()
        }
    }
}

/// What has no counterpart in a property, such as a function, has no encoding either.
fn from_cel(value: &cel::Value) -> Option<Value> {
    Some(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(value) => Value::Bool(*value),
        cel::Value::Int(value) => Value::Int(*value),
        cel::Value::UInt(value) => Value::Uint(*value),
        cel::Value::Float(value) => Value::Double(*value),
        cel::Value::String(value) => Value::String(value.to_string()),
        cel::Value::Bytes(value) => Value::Bytes(value.to_vec()),
        cel::Value::List(items) => Value::List(items.iter().map(from_cel).collect::<Option<_>>()?),
        cel::Value::Map(map) => {
            let entry =
                |(key, value): (&Key, &cel::Value)| Some((key.to_string(), from_cel(value)?));
            Value::Map(map.map.iter().map(entry).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
