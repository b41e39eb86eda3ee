//! The result of a data callback.

use peer_exchange::Payload;

/// Whether the bytes of a data callback go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// They go on.
    Continue,
    /// They stay in the buffer: the connection is lost, and the host neither closed it nor drained
    /// the buffer.
    Hold,
}

/// The result of one data callback.
#[derive(Debug)]
pub(crate) struct Progress {
    /// How many bytes of payload go on.
    pub(crate) payload: usize,
    pub(crate) flow: Flow,
    /// The payload of the peer's frame.
    pub(crate) frame: Option<Payload>,
}
