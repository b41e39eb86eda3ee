use core::fmt;

use crate::Malformed;

/// The maximum number of bytes of a peer's type URL in a message.
const MAX_TYPE_URL_SHOWN: usize = 128;

/// The payload length in a header exceeds the limit of the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The length in the header, in bytes.
    pub length: u32,
    /// The limit of the decoder, in bytes.
    pub max: u32,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, max } = self;
        write!(
            f,
            "its payload of {length} bytes is longer than the accepted {max}"
        )
    }
}

impl core::error::Error for TooLarge {}

/// The reason why a whole frame is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidFrame {
    /// The payload is not a serialized `google.protobuf.Any`.
    MalformedAny(Malformed),
    /// The `Any` holds a message other than a `google.protobuf.Struct`.
    WrongType {
        /// The type URL of the `Any`.
        type_url: String,
    },
    /// The `Any`'s value is not a serialized `google.protobuf.Struct`.
    MalformedStruct(Malformed),
}

impl fmt::Display for InvalidFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedAny(error) => write!(f, "its payload is no Any: {error}"),
            Self::WrongType { type_url } => {
                f.write_str("its payload is no Struct but \"")?;
                for byte in type_url.bytes().take(MAX_TYPE_URL_SHOWN) {
                    core::ascii::escape_default(byte).fmt(f)?;
                }
                f.write_str("\"")
            }
            Self::MalformedStruct(error) => write!(f, "its Struct is malformed: {error}"),
        }
    }
}

impl core::error::Error for InvalidFrame {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::MalformedAny(error) | Self::MalformedStruct(error) => Some(error),
            Self::WrongType { .. } => None,
        }
    }
}
