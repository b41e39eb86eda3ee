//! The state of the idle timeout of tcp_proxy.

use std::time::Duration;

/// The idle timeout of a connection.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// `idle_timeout`; `None` for none.
    pub(super) timeout: Option<Duration>,
    /// The time at which the connection is idle for too long, unless bytes pass before.
    pub(super) due: Option<Duration>,
    /// The time at which the proxy wakes the connection, not after `due`.
    pub(super) woken_at: Option<Duration>,
}
