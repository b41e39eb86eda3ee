//! The wire format of protobuf: the fields of a message, without their meaning.

use core::fmt;

/// The maximum depth of nested messages and groups, as in C++.
const MAX_DEPTH: u32 = 100;

/// The reason why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end inside a field.
    Truncated,
    /// A varint is longer than ten bytes.
    Varint,
    /// A field's number is 0 or too large.
    FieldNumber,
    /// A field's wire type is 6 or 7.
    WireType,
    /// A group has an end without a start.
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

/// The content of a field.
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    /// A group or four bytes: the messages of this crate have no such field.
    Unknown,
}

/// The remaining fields of a message.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    /// The number of further levels that messages may nest.
    depth: u32,
}

impl<'a> Fields<'a> {
    /// The fields of a top-level message.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let depth = MAX_DEPTH;
        Self { bytes, depth }
    }

    /// The fields of a nested message.
    pub(crate) fn nested(&self, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let depth = self.depth.checked_sub(1).ok_or(Malformed::Depth)?;
        Ok(Self { bytes, depth })
    }

    /// Returns the number and content of the next field; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, Malformed> {
        match self.next_or_end_of_group()? {
            Some((_, None)) => Err(Malformed::Group),
            Some((number, Some(field))) => Ok(Some((number, field))),
            None => Ok(None),
        }
    }

    /// As `next`, but the end of a group is a number without content.
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

    /// Skips the fields up to the end of group `number`.
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

    /// Reads a varint. Bits above 64 are dropped, as in C++.
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
