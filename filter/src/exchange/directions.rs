//! The states of the two directions of an exchange.

use super::proofs::Taken;
use super::reader::Reader;
use crate::host::Status;

/// The state of the direction in which the peer's frame comes.
#[derive(Debug)]
pub(super) enum Reading {
    /// The peer's frame is expected, or followed by a second one.
    Frame(Reader),
    /// A native exchange filter reads the frame. It is done when this filter sees a byte.
    Native,
    /// All further bytes are payload.
    Payload,
    /// The host does not return the listener's direction: the first callback ends the connection.
    UnknownDirection(Status),
    /// The connection is being closed: no byte goes on, in either direction.
    Aborted,
    /// As `Aborted`, but the hostcall that closes the connection waits for the end of the callback.
    AbortedInLastBytes,
}

/// The state of the direction in which this workload's frame goes.
#[derive(Debug)]
pub(super) enum Writing {
    /// No byte went in this direction.
    Pending,
    /// The frame was written because of a proof. The server's answer renews it.
    ByProof(Taken),
    /// The frame was written.
    Done,
    /// No frame was written, and none will be.
    Denied,
}

impl Reading {
    /// Whether the peer's frame was read, or none will be.
    pub(super) fn is_decided(&self) -> bool {
        match self {
            Self::Frame(reader) => reader.is_behind_frame(),
            Self::Native | Self::UnknownDirection(_) => false,
            Self::Payload | Self::Aborted | Self::AbortedInLastBytes => true,
        }
    }

    pub(super) fn is_aborted(&self) -> bool {
        matches!(self, Self::Aborted | Self::AbortedInLastBytes)
    }
}
