//! Bytes in the notation of scenario files.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize as Deserialized;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The shapes of bytes, for messages.
const SHAPES: &str = "text, { hex: 3d23 }, { repeat: ab, times: 500 } or a list of these; quote text that is a number";

/// Bytes in a scenario: `hello`, `{ hex: 3d230467 }`, `{ repeat: ab, times: 500 }`, or a list of
/// these.
#[derive(Clone, Debug, JsonSchema, PartialEq)]
#[serde(untagged, deny_unknown_fields)]
pub enum Bytes {
    /// UTF-8 text.
    Text(String),
    /// Hexadecimal digits; blanks between them are ignored.
    Hex {
        /// The digits.
        hex: Digits,
    },
    /// A repeated text.
    Repeat {
        /// The text.
        repeat: String,
        /// The number of repetitions.
        times: Times,
    },
    /// The concatenation of the parts.
    List(Vec<Self>),
}

/// Bytes from hexadecimal digits.
#[derive(Clone, Debug, Deserialized, JsonSchema, PartialEq)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Digits(Vec<u8>);

/// The number of repetitions of a text, at most 16 Mi: a typing error must not exhaust memory.
#[derive(Clone, Copy, Debug, Deserialized, JsonSchema, PartialEq)]
#[serde(try_from = "u64")]
#[schemars(with = "u64")]
pub struct Times(usize);

impl Bytes {
    /// Returns the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex { hex } => hex.0.clone(),
            Self::Repeat { repeat, times } => repeat.as_bytes().repeat(times.0),
            Self::List(parts) => parts.iter().flat_map(Self::to_vec).collect(),
        }
    }
}

/// A derived implementation for an untagged enumeration would only tell that nothing matches.
impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shapes)
    }
}

struct Shapes;

/// The keys of the shapes that are maps.
#[derive(Deserialized)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    hex: Option<Digits>,
    #[serde(default)]
    repeat: Option<String>,
    #[serde(default)]
    times: Option<Times>,
}

impl<'de> Visitor<'de> for Shapes {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHAPES)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Bytes, A::Error> {
        let mut list = Vec::new();
        while let Some(part) = parts.next_element()? {
            list.push(part);
        }
        Ok(Bytes::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Bytes, A::Error> {
        let keys = Keys::deserialize(de::value::MapAccessDeserializer::new(map))?;
        match (keys.hex, keys.repeat, keys.times) {
            (Some(hex), None, None) => Ok(Bytes::Hex { hex }),
            (None, Some(repeat), Some(times)) => Ok(Bytes::Repeat { repeat, times }),
            _ => Err(de::Error::custom(format!("expected {SHAPES}"))),
        }
    }
}

impl TryFrom<u64> for Times {
    type Error = TooOften;

    fn try_from(times: u64) -> Result<Self, TooOften> {
        match usize::try_from(times) {
            Ok(times) if times <= 1 << 24 => Ok(Self(times)),
            _ => Err(TooOften(times)),
        }
    }
}

/// The number is too large for [`Times`].
#[derive(Debug)]
pub struct TooOften(u64);

impl fmt::Display for TooOften {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} times is more than 16777216", self.0)
    }
}

impl TryFrom<String> for Digits {
    type Error = BadDigits;

    fn try_from(text: String) -> Result<Self, BadDigits> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        bytes.map(Self).ok_or(BadDigits(text))
    }
}

/// The byte that two hexadecimal digits stand for.
fn byte(pair: &[u8]) -> Option<u8> {
    let pair = std::str::from_utf8(pair).ok()?;
    let pair = Some(pair).filter(|pair| pair.len() == 2)?;
    u8::from_str_radix(pair, 16).ok()
}

/// The text is not pairs of hexadecimal digits.
#[derive(Debug)]
pub struct BadDigits(String);

impl fmt::Display for BadDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not pairs of hexadecimal digits", self.0)
    }
}

/// Formats bytes for a message: escaped text, shortened.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    let head = bytes.get(..SHOWN).unwrap_or(bytes);
    let more = if head.len() < bytes.len() { "…" } else { "" };
    format!("{} bytes \"{}{more}\"", bytes.len(), head.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_repeated_a_sane_number_of_times() {
        let bytes = |times: u64| {
            let yaml = format!("{{ repeat: ab, times: {times} }}");
            serde_saphyr::from_str::<Bytes>(&yaml).map(|bytes| bytes.to_vec())
        };
        assert_eq!(bytes(2).unwrap(), b"abab");
        assert!(bytes(u64::MAX).is_err());
        assert!(bytes((1 << 24) + 1).is_err());
    }
}
