//! Conversions between structs and JSON.

use serde_json::{Map, Value as Json};

use peer_exchange::{Kind, ListValue, NullValue, Struct, Value};

/// The struct of a JSON object.
pub(crate) fn to_struct(members: &Map<String, Json>) -> Struct {
    members
        .iter()
        .map(|(key, json)| (key, to_value(json)))
        .collect()
}

/// The JSON of a struct. All its numbers are doubles.
pub(crate) fn from_struct(message: &Struct) -> Json {
    let members = message.fields.iter();
    Json::Object(
        members
            .map(|(key, value)| (key.clone(), from_value(value)))
            .collect(),
    )
}

fn to_value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(NullValue::NullValue.into()),
        Json::Bool(bool) => Kind::BoolValue(*bool),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(string) => Kind::StringValue(string.clone()),
        Json::Array(values) => Kind::ListValue(ListValue {
            values: values.iter().map(to_value).collect(),
        }),
        Json::Object(members) => Kind::StructValue(to_struct(members)),
    };
    kind.into()
}

fn from_value(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(bool)) => Json::from(*bool),
        Some(Kind::NumberValue(number)) => Json::from(*number),
        Some(Kind::StringValue(string)) => Json::from(string.as_str()),
        Some(Kind::ListValue(list)) => list.values.iter().map(from_value).collect(),
        Some(Kind::StructValue(fields)) => from_struct(fields),
    }
}
