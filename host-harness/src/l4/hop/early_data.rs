//! The client's bytes before tcp_proxy has an upstream connection.

/// What tcp_proxy has read from the client and not sent yet.
pub(super) struct EarlyData {
    pub(super) bytes: Vec<u8>,
    pub(super) end: bool,
    /// With this many bytes, reading is disabled.
    limit: usize,
}

impl EarlyData {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            end: false,
            limit,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }
}
