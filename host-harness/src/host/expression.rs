//! CEL expressions over properties: the foreign functions `expr_create`, `expr_evaluate` and `expr_delete`.
//!
//! Statuses and encodings are measured with Envoy 1.40.

use super::Host;
use crate::abi::{HostResult, Status};
use crate::property::{Scope, Value, select};
use cel::objects::Key;
use cel::{Context, Program};
use std::collections::HashMap;

/// The functions of CEL's standard library, as Envoy 1.40 registers them.
const STANDARD_FUNCTIONS: [&str; 27] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "has",
    "in",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// The expressions of one VM. Each root counts its tokens from 0.
#[derive(Debug, Default)]
pub(super) struct Expressions {
    sources: HashMap<(u32, u32), String>,
    created: HashMap<u32, u32>,
}

impl Host {
    /// The token of a new expression, 4 bytes; `BadArgument` for one that does not parse or calls what does not exist.
    pub(super) fn create_expression(&mut self, argument: &[u8]) -> HostResult<Vec<u8>> {
        let source = std::str::from_utf8(argument).map_err(|_| Status::BadArgument)?;
        let program = Program::compile(source).map_err(|errors| {
            self.refuse_expression(format!("expr_create parse error: {errors}"))
        })?;
        let root = self.running_context()?.root;
        let created = self.expressions.created.entry(root).or_default();
        let token = *created;
        *created += 1;
        if let Some(name) = unknown_function(&program) {
            let reason = format!("expr_create compile error: no overload for the function {name}");
            return Err(self.refuse_expression(reason));
        }
        self.expressions
            .sources
            .insert((root, token), source.to_owned());
        Ok(token.to_le_bytes().to_vec())
    }

    fn refuse_expression(&self, reason: String) -> Status {
        self.process.logs.error(reason);
        Status::BadArgument
    }

    /// The encoded result; `NotFound` for an unknown token, `InternalFailure` for an error of the evaluation. What it sees is the
    /// context of the running callback: an effective context does not count here.
    pub(super) fn evaluate_expression(&self, argument: &[u8]) -> HostResult<Vec<u8>> {
        let context = self.running_context()?;
        let key = (context.root, token(argument)?);
        let source = self.expressions.sources.get(&key).ok_or(Status::NotFound)?;
        self.with_scope(context, |scope| evaluate(source, scope))?
            .encode()
    }

    /// Forgets an expression; an unknown token is fine.
    pub(super) fn delete_expression(&mut self, argument: &[u8]) -> HostResult<Vec<u8>> {
        let key = (self.running_context()?.root, token(argument)?);
        self.expressions.sources.remove(&key);
        Ok(Vec::new())
    }
}

fn evaluate(source: &str, scope: &Scope<'_>) -> HostResult<Value> {
    if let Some(path) = as_path(source) {
        return match select(scope, path) {
            None | Some(Value::Invalid) => Err(Status::InternalFailure),
            Some(value) => Ok(value),
        };
    }
    let program = Program::compile(source).map_err(|_| Status::InternalFailure)?;
    let mut context = Context::default();
    for name in program.references().variables() {
        if let Some(value) = select(scope, std::iter::once(name))
            .as_ref()
            .and_then(to_cel)
        {
            context.add_variable_from_value(name, value);
        }
    }
    let result = program
        .execute(&context)
        .map_err(|_| Status::InternalFailure)?;
    from_cel(&result).ok_or(Status::SerializationFailure)
}

/// Envoy knows CEL's standard functions alone. Those of operators have names that no one can write.
fn unknown_function(program: &Program) -> Option<String> {
    let references = program.references();
    let mut functions = references.functions().into_iter();
    functions
        .find(|name| name.starts_with(char::is_alphabetic) && !STANDARD_FUNCTIONS.contains(name))
        .map(str::to_owned)
}

fn token(argument: &[u8]) -> HostResult<u32> {
    argument
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Status::BadArgument)
}

/// An expression that only selects is a property path. It keeps Envoy's own encoding, which a CEL value would lose: of a
/// message its wire form, of an attribute root none.
fn as_path(source: &str) -> Option<std::str::Split<'_, char>> {
    const LITERALS: [&str; 3] = ["true", "false", "null"];
    let source = source.trim();
    let identifier = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    let selects = source.split('.').all(identifier) && !LITERALS.contains(&source);
    selects.then(|| source.split('.'))
}

/// What is invalid is not there for an expression, which comes to the same: an error.
fn to_cel(value: &Value) -> Option<cel::Value> {
    Some(match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Int(value) => cel::Value::Int(*value),
        Value::Uint(value) => cel::Value::UInt(*value),
        Value::Double(value) => cel::Value::Float(*value),
        Value::String(value) => cel::Value::String(value.clone().into()),
        Value::Bytes(value) => cel::Value::Bytes(value.clone().into()),
        Value::List(items) => {
            let items = items.iter().filter_map(to_cel);
            cel::Value::List(items.collect::<Vec<_>>().into())
        }
        Value::Map(fields) | Value::Attributes(fields) | Value::Message { fields, .. } => {
            let entries = fields
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), to_cel(value)?)));
            entries.collect::<HashMap<String, cel::Value>>().into()
        }
        Value::Invalid => return None,
    })
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
