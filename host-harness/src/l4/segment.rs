//! What travels on a TCP connection.

/// One event on a TCP connection, as its receiver gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Bytes, and whether the sender's half ends with them.
    Data { bytes: Vec<u8>, end: bool },
    /// The sender closed its socket: its half ends, and it answers further data with a reset.
    Close,
    /// RST.
    Reset,
}

/// Which way along the path from client to server.
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
    /// Our half has ended.
    pub(crate) write_end: bool,
    /// A reset has come that nobody has noticed: only reading or writing would tell.
    pub(crate) reset: bool,
    /// Writing has failed, which is dealt with when the event loop comes to it.
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
