//! Conversions between [`Value`] and `google.protobuf.Struct`, `Value` and `ListValue`.

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{ListValue, NullValue, Struct};

use super::Value;

/// The value in a Struct: every number is a double, and values without a JSON form are null.
pub(super) fn to_proto(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Int(value) => Kind::NumberValue(*value as f64),
        Value::Uint(value) => Kind::NumberValue(*value as f64),
        Value::Double(value) => Kind::NumberValue(*value),
        Value::String(value) => Kind::StringValue(value.clone()),
        Value::List(items) => Kind::ListValue(ListValue {
            values: items.iter().map(to_proto).collect(),
        }),
        Value::Map(fields) => Kind::StructValue(to_struct(fields)),
        Value::Null
        | Value::Bytes(_)
        | Value::Message { .. }
        | Value::Attributes(_)
        | Value::Invalid => Kind::NullValue(NullValue::NullValue.into()),
    };
    prost_types::Value { kind: Some(kind) }
}

pub(super) fn to_struct(fields: &BTreeMap<String, Value>) -> Struct {
    let fields = fields
        .iter()
        .map(|(key, value)| (key.clone(), to_proto(value)));
    Struct {
        fields: fields.collect(),
    }
}

pub(super) fn from_proto(value: prost_types::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(value)) => Value::Double(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::ListValue(list)) => from_list(list),
        Some(Kind::StructValue(fields)) => from_struct(fields),
    }
}

pub(super) fn from_list(list: ListValue) -> Value {
    Value::List(list.values.into_iter().map(from_proto).collect())
}

pub(super) fn from_struct(message: Struct) -> Value {
    Value::map(
        message
            .fields
            .into_iter()
            .map(|(key, value)| (key, from_proto(value))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_survives_the_way_through_a_struct() {
        let json =
            json!({"s": "x", "n": 1.5, "b": true, "z": null, "l": ["x", {}], "o": {"k": "v"}});
        let value = Value::from(&json);
        assert_eq!(from_proto(to_proto(&value)), value);
    }
}
