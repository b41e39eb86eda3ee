use prost::Message;

use crate::decode::{AnyRef, decode_struct};
use crate::encode::encode_struct;
use crate::generated::Any;
use crate::{InvalidFrame, Kind, Metadata, Struct, Value};

/// The first bytes of a frame: 0x3D230467 in network byte order.
pub const MAGIC: [u8; 4] = [0x3d, 0x23, 0x04, 0x67];

/// The length of a frame's header, in bytes: the magic and the payload's length, both big-endian
/// `u32`s.
pub const HEADER_LEN: usize = 8;

/// The type URL of a frame's `Any`. A receiver reads only the part after the last `/`.
pub const TYPE_URL: &str = "type.googleapis.com/google.protobuf.Struct";

/// The payload's key of the sender's metadata, a struct.
pub const METADATA_KEY: &str = "x-envoy-peer-metadata";

/// The payload's key of the sender's Envoy node id, a string.
pub const NODE_ID_KEY: &str = "x-envoy-peer-metadata-id";

const TYPE_NAME: &str = "google.protobuf.Struct";

/// The bytes after a frame's header, not validated.
///
/// Equal payloads contain the same metadata, so a caller can cache the result of
/// [`frame`](Self::frame).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Payload(pub(crate) Vec<u8>);

impl Payload {
    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The raw bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Parses the payload.
    ///
    /// # Errors
    /// The payload is not a serialized struct in an `Any`.
    pub fn frame(&self) -> Result<Frame, InvalidFrame> {
        let AnyRef { type_url, value } =
            AnyRef::decode(&self.0).map_err(InvalidFrame::MalformedAny)?;
        match type_url.rsplit_once('/') {
            Some((_, TYPE_NAME)) => {}
            _ => {
                return Err(InvalidFrame::WrongType {
                    type_url: type_url.to_owned(),
                });
            }
        }
        let fields = decode_struct(value).map_err(InvalidFrame::MalformedStruct)?;
        Ok(Frame { fields })
    }
}

/// One frame: the identity of its sender.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// The whole payload, including keys that this crate does not use.
    pub fields: Struct,
}

impl Frame {
    /// Creates the frame of a node with this metadata. An empty `node_id` is omitted, as in Envoy.
    pub fn new(metadata: Struct, node_id: &str) -> Self {
        let mut fields = Struct::from_iter([(METADATA_KEY, Value::from(metadata))]);
        if !node_id.is_empty() {
            fields.insert(NODE_ID_KEY, node_id);
        }
        Self { fields }
    }

    /// The sender's metadata; `None` if the frame has none. Metadata of another kind than a struct
    /// is empty.
    pub fn metadata(&self) -> Option<Metadata> {
        let value = self.fields.fields.get(METADATA_KEY)?;
        Some(match &value.kind {
            Some(Kind::StructValue(metadata)) => metadata.into(),
            _ => Metadata::default(),
        })
    }

    /// The sender's Envoy node id; `None` if the frame has none. An id of another kind than a
    /// string is empty.
    pub fn node_id(&self) -> Option<&str> {
        self.fields.fields.get(NODE_ID_KEY).map(Value::as_str)
    }

    /// Serializes the frame. The bytes are those of Istio's filter: map entries in the byte order
    /// of their keys, every entry with key and value.
    pub fn encode(&self) -> Vec<u8> {
        let payload = Any {
            type_url: TYPE_URL.into(),
            value: encode_struct(&self.fields),
        };
        // Node metadata is part of one message of at most 2 GiB, so its length always fits.
        let length = u32::try_from(payload.encoded_len()).unwrap_or(u32::MAX);

        let mut frame = Vec::with_capacity(HEADER_LEN + payload.encoded_len());
        frame.extend_from_slice(&MAGIC);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&payload.encode_to_vec());
        frame
    }
}
