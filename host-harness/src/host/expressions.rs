//! CEL expressions over properties, for the foreign functions `expr_create`, `expr_evaluate` and
//! `expr_delete`.
//!
//! Statuses and encodings are measured with Envoy 1.40.

use std::collections::HashMap;

use cel::objects::Key;
use cel::{Context, Program};

use crate::abi::{HostResult, Status};
use crate::attributes::{Scope, select};
use crate::property::Value;

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

/// A parsed expression.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    /// The first function that Envoy does not have.
    unknown_function: Option<String>,
    /// It computes with durations or timestamps, which are not emulated.
    pub(crate) needs_time: bool,
}

/// The expressions of one VM. The tokens of each root count from 0.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    sources: HashMap<(u32, u32), Expression>,
    created: HashMap<u32, u32>,
}

impl Expressions {
    /// Adds an expression of a root and returns its token. A rejected expression uses up a token.
    ///
    /// # Errors
    /// The expression calls a function that Envoy does not have: the text that Envoy logs.
    pub(crate) fn add(&mut self, root: u32, expression: Expression) -> Result<u32, String> {
        let created = self.created.entry(root).or_default();
        let token = *created;
        *created += 1;
        if let Some(name) = expression.unknown_function {
            return Err(format!(
                "expr_create compile error: no overload for the function {name}"
            ));
        }
        self.sources.insert((root, token), expression);
        Ok(token)
    }

    pub(crate) fn get(&self, root: u32, token: u32) -> Option<&Expression> {
        self.sources.get(&(root, token))
    }

    pub(crate) fn remove(&mut self, root: u32, token: u32) {
        self.sources.remove(&(root, token));
    }
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// The text that Envoy logs.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let program = Program::compile(source)
            .map_err(|errors| format!("expr_create parse error: {errors}"))?;
        Ok(Self {
            source: source.to_owned(),
            unknown_function: unknown_function(&program),
            needs_time: needs_time(&program),
        })
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// `InternalFailure` for an error of the evaluation, `SerializationFailure` for a result
    /// without a property type.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> HostResult<Value> {
        if let Some(path) = as_path(&self.source) {
            return match select(scope, path) {
                None | Some(Value::Invalid) => Err(Status::InternalFailure),
                Some(value) => Ok(value),
            };
        }
        let program = Program::compile(&self.source).map_err(|_| Status::InternalFailure)?;
        let mut context = Context::default();
        for name in program.references().variables() {
            let value = select(scope, std::iter::once(name));
            if let Some(value) = value.as_ref().and_then(to_cel) {
                context.add_variable_from_value(name, value);
            }
        }
        let result = program
            .execute(&context)
            .map_err(|_| Status::InternalFailure)?;
        from_cel(&result).ok_or(Status::SerializationFailure)
    }
}

/// The first function of a program that is not one of CEL's standard functions. Operators are
/// functions too; their names do not begin with a letter.
fn unknown_function(program: &Program) -> Option<String> {
    let references = program.references();
    let mut functions = references.functions().into_iter();
    functions
        .find(|name| name.starts_with(char::is_alphabetic) && !STANDARD_FUNCTIONS.contains(name))
        .map(str::to_owned)
}

/// Whether a program calls a function of durations or timestamps.
fn needs_time(program: &Program) -> bool {
    let references = program.references();
    let mut functions = references.functions().into_iter();
    functions.any(|name| {
        ["duration", "timestamp"].contains(&name)
            || name.starts_with("get") && STANDARD_FUNCTIONS.contains(&name)
    })
}

/// The property path, if the expression only selects fields. A path keeps Envoy's encoding, which a
/// CEL value would lose: the wire form of a message, none for an attribute root.
fn as_path(source: &str) -> Option<std::str::Split<'_, char>> {
    const LITERALS: [&str; 3] = ["true", "false", "null"];
    let source = source.trim();
    let selects = source.split('.').all(is_identifier) && !LITERALS.contains(&source);
    selects.then(|| source.split('.'))
}

fn is_identifier(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && part
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// The value in CEL; `None` for an invalid object. A missing variable and an invalid one both end
/// the evaluation with an error.
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

/// The property value of a CEL value; `None` if it has none, such as a function.
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
