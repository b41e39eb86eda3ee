//! Events and sockets of a TCP connection.

/// One event on a TCP connection at its receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Bytes, and whether the sender's half ends with them.
    Data { bytes: Vec<u8>, end: bool },
    /// The sender closed its socket: its half ends, and it answers further data with a reset.
    Close,
    /// RST.
    Reset,
}

/// A direction on the path between client and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toward {
    Client,
    Server,
}

/// One end of a TCP connection that a proxy holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Socket {
    pub(crate) open: bool,
    /// The peer's half has ended.
    pub(crate) read_end: bool,
    /// The proxy's half has ended.
    pub(crate) write_end: bool,
    /// A reset has arrived; the proxy detects it by its next read or write.
    pub(crate) reset: bool,
    /// The next event sees the reset if it closes the connection.
    pub(crate) sees_reset: bool,
    /// A write has failed; the event loop closes the connection later.
    pub(crate) write_failed: bool,
}

impl Socket {
    pub(crate) fn opened() -> Self {
        Self {
            open: true,
            ..Self::default()
        }
    }

    /// Envoy: `bothSidesHalfClosed`.
    pub(crate) fn both_ended(self) -> bool {
        self.open && self.read_end && self.write_end
    }
}

/// The end of a connection as its peer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN.
    End,
    /// RST: tcp_proxy forwards a reset from one side to the other.
    Reset,
}

impl Ending {
    pub(crate) fn segment(self) -> Segment {
        match self {
            Self::End => Segment::Close,
            Self::Reset => Segment::Reset,
        }
    }
}
