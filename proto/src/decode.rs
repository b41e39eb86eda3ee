//! Parses messages as C++ protobuf does. C++, and so every receiver of Istio, skips a known field
//! of another wire type as an unknown field; prost rejects the message.

use core::{mem, str};

use crate::wire::{Field, Fields, Malformed};
use crate::{Kind, ListValue, Struct, Value};

/// A `google.protobuf.Any`.
#[derive(Default)]
pub(crate) struct AnyRef<'a> {
    pub(crate) type_url: &'a str,
    pub(crate) value: &'a [u8],
}

impl<'a> AnyRef<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut any = Self::default();
        let mut fields = Fields::of(bytes);
        while let Some((number, field)) = fields.next()? {
            match (number, field) {
                (1, Field::Bytes(url)) => any.type_url = utf8(url)?,
                (2, Field::Bytes(value)) => any.value = value,
                _ => {}
            }
        }
        Ok(any)
    }
}

/// Parses a `google.protobuf.Struct`.
pub(crate) fn decode_struct(bytes: &[u8]) -> Result<Struct, Malformed> {
    let mut message = Struct::default();
    merge_struct(&mut message, Fields::of(bytes))?;
    Ok(message)
}

fn merge_struct(message: &mut Struct, mut fields: Fields<'_>) -> Result<(), Malformed> {
    while let Some((number, field)) = fields.next()? {
        if let (1, Field::Bytes(entry)) = (number, field) {
            let (key, value) = entry_of(fields.nested(entry)?)?;
            message.fields.insert(key, value);
        }
    }
    Ok(())
}

/// Parses an entry of a struct. A missing key or value is empty.
fn entry_of(mut fields: Fields<'_>) -> Result<(String, Value), Malformed> {
    let (mut key, mut value) = ("", Value::default());
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = utf8(bytes)?,
            (2, Field::Bytes(bytes)) => merge_value(&mut value, fields.nested(bytes)?)?,
            _ => {}
        }
    }
    Ok((key.to_owned(), value))
}

/// Merges fields into a value. The last kind wins; the parts of a struct or list are merged.
fn merge_value(message: &mut Value, mut fields: Fields<'_>) -> Result<(), Malformed> {
    while let Some((number, field)) = fields.next()? {
        let kind = match (number, field) {
            // An enum is 32 bits wide.
            (1, Field::Varint(null)) => Kind::NullValue(null as i32),
            (2, Field::Fixed64(number)) => Kind::NumberValue(f64::from_le_bytes(number)),
            (3, Field::Bytes(bytes)) => Kind::StringValue(utf8(bytes)?.to_owned()),
            (4, Field::Varint(bool)) => Kind::BoolValue(bool != 0),
            (5, Field::Bytes(bytes)) => {
                let mut part = match mem::take(&mut message.kind) {
                    Some(Kind::StructValue(part)) => part,
                    _ => Struct::default(),
                };
                merge_struct(&mut part, fields.nested(bytes)?)?;
                Kind::StructValue(part)
            }
            (6, Field::Bytes(bytes)) => {
                let mut part = match mem::take(&mut message.kind) {
                    Some(Kind::ListValue(part)) => part,
                    _ => ListValue::default(),
                };
                merge_list(&mut part, fields.nested(bytes)?)?;
                Kind::ListValue(part)
            }
            _ => continue,
        };
        message.kind = Some(kind);
    }
    Ok(())
}

fn merge_list(message: &mut ListValue, mut fields: Fields<'_>) -> Result<(), Malformed> {
    while let Some((number, field)) = fields.next()? {
        if let (1, Field::Bytes(bytes)) = (number, field) {
            let mut value = Value::default();
            merge_value(&mut value, fields.nested(bytes)?)?;
            message.values.push(value);
        }
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

#[cfg(test)]
mod tests;
