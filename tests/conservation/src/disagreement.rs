//! What a run can find.

use std::fmt;

use host_harness::StartError;

use crate::case::End;

/// What is not as it has to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// The filter does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The client's proxy offers other protocols than the configuration says.
    #[error("connection {connection}: the client's proxy offers the protocols {found:?}")]
    Offered {
        /// Which connection.
        connection: usize,
        /// What is offered.
        found: Vec<String>,
    },
    /// An application got other bytes than the reference says.
    #[error("connection {connection}: the {at:?} got {found:?}, the reference says {expected:?}")]
    Arrived {
        /// Which connection.
        connection: usize,
        /// Which application.
        at: End,
        /// What the reference says.
        expected: Bytes,
        /// What arrived.
        found: Bytes,
    },
    /// An application was told that the other half ended, or was not.
    #[error(
        "connection {connection}: the {at:?} saw an end: {found}; the reference says otherwise"
    )]
    Ended {
        /// Which connection.
        connection: usize,
        /// Which application.
        at: End,
        /// Whether it saw one.
        found: bool,
    },
    /// Bytes were lost, added or changed, whatever the reference says.
    #[error("connection {connection}: the {at:?} got {found:?} of {sent:?}")]
    NotConserved {
        /// Which connection.
        connection: usize,
        /// Which application.
        at: End,
        /// What the other application sent.
        sent: Bytes,
        /// What arrived.
        found: Bytes,
    },
    /// A metric is not what the reference says.
    #[error("{reporter} {metric} is {found}, the reference says {expected}")]
    Metric {
        /// Whose.
        reporter: &'static str,
        /// Its name, or the result it counts.
        metric: &'static str,
        /// What the reference says.
        expected: u64,
        /// What was reported.
        found: u64,
    },
}

/// Bytes, shown as text where they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes \"{}\"", self.0.len(), self.0.escape_ascii())
    }
}
