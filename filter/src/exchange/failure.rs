//! Failures of the host that end a connection.

use std::fmt;

use crate::host::HostError;

/// A hostcall that the exchange needs failed: the connection cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HostFailure {
    /// The operation, like "reading the buffer".
    operation: &'static str,
    error: HostError,
}

impl HostFailure {
    pub(super) fn reading_buffer(error: impl Into<HostError>) -> Self {
        Self::new("reading the buffer", error)
    }

    pub(super) fn changing_buffer(error: impl Into<HostError>) -> Self {
        Self::new("changing the buffer", error)
    }

    pub(super) fn reading_direction(error: impl Into<HostError>) -> Self {
        Self::new("reading the listener's direction", error)
    }

    pub(super) fn reading_tls(error: impl Into<HostError>) -> Self {
        Self::new("reading the TLS attributes", error)
    }

    fn new(operation: &'static str, error: impl Into<HostError>) -> Self {
        Self {
            operation,
            error: error.into(),
        }
    }
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.operation, self.error)
    }
}
