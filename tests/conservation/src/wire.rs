//! Frames by the wire format, without the filter's codec.

use prost::Message as _;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost_types::{Any, Struct};

/// The first bytes of every frame.
pub(crate) const MAGIC: [u8; 4] = [0x3d, 0x23, 0x04, 0x67];

const METADATA: &str = "x-envoy-peer-metadata";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

/// The payload of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A proxy's metadata.
    Metadata,
    /// A `Struct` without a key.
    NoMetadata,
    /// An `Any` of another type.
    OtherType,
    /// No protobuf message.
    Garbage,
    /// No bytes.
    Empty,
}

impl Payload {
    /// Every payload.
    pub const ALL: [Self; 5] = [
        Self::Metadata,
        Self::NoMetadata,
        Self::OtherType,
        Self::Garbage,
        Self::Empty,
    ];

    /// The frame with this payload.
    pub fn frame(self) -> Vec<u8> {
        frame(&match self {
            Self::Metadata => metadata("by-hand", true),
            Self::NoMetadata => field(1, STRUCT),
            Self::OtherType => field(1, "type.googleapis.com/google.protobuf.Value"),
            Self::Garbage => b"\x07garbage".to_vec(),
            Self::Empty => Vec::new(),
        })
    }
}

/// The frame of the proxy `name`: as Istio sends it since 1.24, or (`listed`) as 1.7 sends the keys
/// that `EXCHANGE_KEYS` lists.
pub(crate) fn proxy_frame(name: &str, listed: bool) -> Vec<u8> {
    frame(&metadata(name, listed))
}

/// The result for a payload: `exchanged`, `no_metadata` or `malformed`.
pub(crate) fn judge(payload: &[u8]) -> &'static str {
    let any = without_mistyped(Message::Any, payload);
    let any = any.and_then(|any| Any::decode(any.as_slice()).ok());
    let content = any.filter(|any| {
        let name = any.type_url.rsplit_once('/');
        name.is_some_and(|(_, name)| name == "google.protobuf.Struct")
    });
    let content = content.and_then(|any| without_mistyped(Message::Struct, &any.value));
    match content.map(|content| Struct::decode(content.as_slice())) {
        Some(Ok(content)) if content.fields.contains_key(METADATA) => "exchanged",
        Some(Ok(_)) => "no_metadata",
        Some(Err(_)) | None => "malformed",
    }
}

/// The messages of an exchange.
#[derive(Clone, Copy)]
enum Message {
    Any,
    Struct,
    Entry,
    Value,
    List,
}

impl Message {
    /// The wire type of a field, and the message in it.
    fn field(self, number: u32) -> Option<(WireType, Option<Self>)> {
        match (self, number) {
            (Self::Any, 1 | 2) | (Self::Entry, 1) | (Self::Value, 3) => {
                Some((WireType::LengthDelimited, None))
            }
            (Self::Struct, 1) => Some((WireType::LengthDelimited, Some(Self::Entry))),
            (Self::Entry, 2) | (Self::List, 1) => {
                Some((WireType::LengthDelimited, Some(Self::Value)))
            }
            (Self::Value, 1 | 4) => Some((WireType::Varint, None)),
            (Self::Value, 2) => Some((WireType::SixtyFourBit, None)),
            (Self::Value, 5) => Some((WireType::LengthDelimited, Some(Self::Struct))),
            (Self::Value, 6) => Some((WireType::LengthDelimited, Some(Self::List))),
            _ => None,
        }
    }
}

/// A message without its fields of the wrong wire type, which prost rejects and a receiver in C++
/// skips. `None` if the bytes are no message.
fn without_mistyped(message: Message, mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).ok()?;
        let known = message.field(number);
        if let Some((expected, Some(nested))) = known
            && expected == wire_type
        {
            let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
            let (content, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            let content = without_mistyped(nested, content)?;
            encode_key(number, wire_type, &mut kept);
            encode_varint(content.len() as u64, &mut kept);
            kept.extend(content);
            continue;
        }
        if wire_type == WireType::Varint {
            let value = varint(&mut bytes)?;
            if known.is_some_and(|(expected, _)| expected == wire_type) {
                encode_key(number, wire_type, &mut kept);
                encode_varint(value, &mut kept);
            }
            continue;
        }
        let before = bytes;
        skip_field(wire_type, number, &mut bytes, DecodeContext::default()).ok()?;
        if known.is_none_or(|(expected, _)| expected == wire_type) {
            encode_key(number, wire_type, &mut kept);
            kept.extend(before.get(..before.len() - bytes.len())?);
        }
    }
    Some(kept)
}

/// A varint, of which a receiver in C++ ignores the bits beyond 64, and prost rejects them. `None` if
/// it is longer than ten bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let length = bytes.iter().take(10).position(|byte| *byte < 0x80)? + 1;
    let (varint, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let bits = varint.iter().map(|byte| u64::from(byte & 0x7f));
    Some(bits.rev().fold(0, |value, bits| value << 7 | bits))
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    [&MAGIC, &length.to_be_bytes()[..], payload].concat()
}

fn metadata(name: &str, listed: bool) -> Vec<u8> {
    let labels = entry("LABELS", &field(5, ""));
    let identity = [
        entry("NAMESPACE", &field(3, "default")),
        entry("WORKLOAD_NAME", &field(3, name)),
    ];
    let identity = identity.concat();
    let keys = if listed {
        identity
    } else {
        [labels, identity].concat()
    };
    let outer = [
        entry(METADATA, &field(5, keys)),
        entry("x-envoy-peer-metadata-id", &field(3, name)),
    ];
    [field(1, STRUCT), field(2, outer.concat())].concat()
}

/// An entry of a `Struct`'s map.
fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, [field(1, key), field(2, value)].concat())
}

/// A length-delimited field; the length takes at most two bytes.
fn field(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let (low, high) = (content.len() % 128, content.len() / 128);
    let length = match high {
        0 => vec![low as u8],
        high => vec![low as u8 | 0x80, high as u8],
    };
    [&[number << 3 | 2], length.as_slice(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_one_of_the_specification() {
        let frame = Payload::NoMetadata.frame();
        assert_eq!(frame.len(), 52);
        assert_eq!(frame[..14], *b"\x3d\x23\x04\x67\0\0\0\x2c\x0a\x2atype");
    }
}
