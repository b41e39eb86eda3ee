//! Parsing as C++ protobuf does it. Unlike prost, which refuses a known field of another wire type,
//! C++ (and so every receiver of Istio's) skips it as a field it does not know.

use core::{fmt, mem, str};

use crate::{Kind, ListValue, Struct, Value};

/// How deep messages and groups may nest, as in C++.
const MAX_DEPTH: u32 = 100;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end inside a field.
    Truncated,
    /// A varint is longer than ten bytes.
    Varint,
    /// A field's number is 0 or too large.
    FieldNumber,
    /// A field's wire type is 6 or 7.
    WireType,
    /// A group ends that did not begin.
    Group,
    /// A string is not UTF-8.
    Utf8,
    /// Messages nest more than a hundred deep.
    Depth,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "it ends inside a field",
            Self::Varint => "a varint is longer than ten bytes",
            Self::FieldNumber => "a field number is out of range",
            Self::WireType => "a wire type is unknown",
            Self::Group => "a group ends that did not begin",
            Self::Utf8 => "a string is not UTF-8",
            Self::Depth => "it nests more than a hundred deep",
        })
    }
}

impl core::error::Error for Malformed {}

/// A `google.protobuf.Any`.
#[derive(Default)]
pub(crate) struct AnyRef<'a> {
    pub(crate) type_url: &'a str,
    pub(crate) value: &'a [u8],
}

impl<'a> AnyRef<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut any = Self::default();
        let mut fields = Fields {
            bytes,
            depth: MAX_DEPTH,
        };
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
    merge_struct(
        &mut message,
        Fields {
            bytes,
            depth: MAX_DEPTH,
        },
    )?;
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

/// An entry of a struct. Without a key or a value it has an empty one.
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

/// The last kind wins; a struct or list that comes in parts is put together.
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

/// The content of a field.
enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    /// Nothing that our messages have: a group or four bytes.
    Unknown,
}

/// The fields of a message that are still to come.
struct Fields<'a> {
    bytes: &'a [u8],
    /// How much deeper messages may nest.
    depth: u32,
}

impl<'a> Fields<'a> {
    /// The fields of a message within.
    fn nested(&self, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let depth = self.depth.checked_sub(1).ok_or(Malformed::Depth)?;
        Ok(Self { bytes, depth })
    }

    /// The number and content of the next field.
    fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Malformed> {
        match self.next_or_end_of_group()? {
            Some((_, None)) => Err(Malformed::Group),
            Some((number, Some(field))) => Ok(Some((number, field))),
            None => Ok(None),
        }
    }

    /// As `next`; the end of a group is a number without content.
    fn next_or_end_of_group(&mut self) -> Result<Option<(u32, Option<Field<'a>>)>, Malformed> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed::FieldNumber)?;
        let (number, wire_type) = (tag >> 3, tag & 0b111);
        if number == 0 {
            return Err(Malformed::FieldNumber);
        }
        let field = match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.array()?),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                Field::Bytes(self.take(len)?)
            }
            3 => {
                self.skip_group(number)?;
                Field::Unknown
            }
            4 => return Ok(Some((number, None))),
            5 => {
                self.array::<4>()?;
                Field::Unknown
            }
            _ => return Err(Malformed::WireType),
        };
        Ok(Some((number, Some(field))))
    }

    /// Skips what follows up to the end of group `number`.
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut group = self.nested(self.bytes)?;
        loop {
            match group.next_or_end_of_group()? {
                Some((_, Some(_))) => {}
                Some((end, None)) if end == number => break,
                Some((_, None)) => return Err(Malformed::Group),
                None => return Err(Malformed::Truncated),
            }
        }
        self.bytes = group.bytes;
        Ok(())
    }

    /// Of more than 64 bits the upper ones are lost, as in C++.
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.bytes = rest;
        Ok(*array)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or(Malformed::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests;
