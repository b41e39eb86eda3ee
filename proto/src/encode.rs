//! Deterministic serialization with the same bytes as C++ protobuf: entries in the byte order of
//! their keys (the order of a `BTreeMap`), always with key *and* value. prost omits a default key
//! or value, which has the same meaning but other bytes.

use prost::encode_length_delimiter;

use crate::{Kind, ListValue, Struct, Value};

/// Serializes a struct.
pub(crate) fn encode_struct(message: &Struct) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in &message.fields {
        let mut entry = Vec::new();
        put_bytes(1, key.as_bytes(), &mut entry);
        put_bytes(2, &encode_value(value), &mut entry);
        put_bytes(1, &entry, &mut out);
    }
    out
}

fn encode_value(message: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match &message.kind {
        None => {}
        // Any number: protobuf keeps unknown enum values, but JSON has only one null.
        Some(Kind::NullValue(_)) => put_varint(1, 0, &mut out),
        Some(Kind::NumberValue(number)) => put_fixed64(2, number.to_le_bytes(), &mut out),
        Some(Kind::StringValue(string)) => put_bytes(3, string.as_bytes(), &mut out),
        Some(Kind::BoolValue(bool)) => put_varint(4, u8::from(*bool), &mut out),
        Some(Kind::StructValue(fields)) => put_bytes(5, &encode_struct(fields), &mut out),
        Some(Kind::ListValue(list)) => put_bytes(6, &encode_list(list), &mut out),
    }
    out
}

fn encode_list(message: &ListValue) -> Vec<u8> {
    let mut out = Vec::new();
    for value in &message.values {
        put_bytes(1, &encode_value(value), &mut out);
    }
    out
}

/// A varint field whose value fits into one byte (below 128).
fn put_varint(field: u8, value: u8, out: &mut Vec<u8>) {
    out.extend([field << 3, value]);
}

fn put_fixed64(field: u8, value: [u8; 8], out: &mut Vec<u8>) {
    out.push(field << 3 | 1);
    out.extend(value);
}

fn put_bytes(field: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    // Fails only for a buffer of fixed capacity; a vector grows.
    let _ = encode_length_delimiter(value.len(), out);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn entries_have_key_and_value_even_when_both_are_empty() {
        let message = Struct::from_iter([("", Value::default())]);
        assert_eq!(encode_struct(&message), [0x0a, 4, 0x0a, 0, 0x12, 0]);
    }

    #[test]
    fn a_key_precedes_longer_keys_with_this_prefix() {
        let message = Struct::from_iter([("ab", ""), ("a", "")]);
        let entries = [
            b"\x0a\x07\x0a\x01a\x12\x02\x1a\x00",
            &b"\x0a\x08\x0a\x02ab\x12\x02\x1a\x00"[..],
        ];
        assert_eq!(encode_struct(&message), entries.concat());
    }
}
