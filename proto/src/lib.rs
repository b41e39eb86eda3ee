//! The wire format of `istio-peer-exchange`: two Istio proxies exchange the metadata of their
//! workloads at the start of a TCP connection.
//!
//! A sender writes one [`Frame`] in front of its first bytes; a [`Decoder`] removes it from the
//! peer's stream. A frame holds the sender's [`Metadata`]; [`Node`] selects the metadata to send.
//! The crate handles bytes and metadata only, not proxies, connections or metrics.
//!
//! ```
//! use peer_exchange::{Decoded, Decoder, Frame, Struct};
//!
//! let sent = Frame::new(Struct::default(), "sidecar~10.0.0.1~client.default~cluster.local");
//! let mut stream = sent.encode();
//! stream.extend_from_slice(b"hello");
//!
//! let step = Decoder::default().decode(&stream);
//! assert_eq!(&stream[step.consumed..], b"hello");
//! let Decoded::Frame(payload) = step.decoded else { panic!("a whole frame") };
//! assert_eq!(payload.frame(), Ok(sent));
//! ```
#![forbid(unsafe_code)]

mod decode;
mod decoder;
mod encode;
mod frame;
mod generated;
mod invalid;
mod metadata;
mod node;
mod value;
mod wire;

pub use decoder::{DEFAULT_MAX_PAYLOAD, Decoded, Decoder, Step, Truncated};
pub use frame::{Frame, HEADER_LEN, MAGIC, METADATA_KEY, NODE_ID_KEY, Payload, TYPE_URL};
pub use generated::{ListValue, NullValue, Struct, Value, value::Kind};
pub use invalid::{InvalidFrame, TooLarge};
pub use metadata::Metadata;
pub use node::{Locality, Node, Style};
pub use wire::Malformed;
