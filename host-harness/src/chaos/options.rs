//! The parameters of a chaos test.

use std::time::Duration;

/// The parameters of a chaos test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The time that passes after the last step, when all connections are closed. Ticks in this
    /// time are part of the test. The default is 31 seconds: two reports of a filter that reports
    /// every 15 seconds, the default of Istio's stats for TCP.
    pub settle: Duration,
    /// Whether the filter keeps state between connections that decides about bytes that it inserts
    /// at the start of a stream. A fault on one connection may then change the inserted bytes of
    /// the next, so a stream may begin with any bytes that the filter inserts on another
    /// connection. Otherwise it may only begin with those that it inserts without a fault. The
    /// default is true.
    pub shared_state: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(31),
            shared_state: true,
        }
    }
}
