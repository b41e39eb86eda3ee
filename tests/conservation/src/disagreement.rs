//! The differences that a run can find.

use std::fmt;

use host_harness::StartError;

use crate::case::End;

/// A difference between the filter and the reference, or bytes that are not conserved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Disagreement {
    /// The filter does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The client's proxy does not offer the configured protocols.
    #[error("connection {connection}: the client's proxy offers the protocols {found:?}")]
    Offered {
        connection: usize,
        found: Vec<String>,
    },
    /// The bytes at an application are not the reference's.
    #[error("connection {connection}: the {at:?} got {found:?}, the reference says {expected:?}")]
    Arrived {
        connection: usize,
        at: End,
        expected: Bytes,
        found: Bytes,
    },
    /// An application saw the end of the other half and the reference has none, or the reverse.
    #[error(
        "connection {connection}: the {at:?} saw an end: {found}; the reference says otherwise"
    )]
    Ended {
        connection: usize,
        at: End,
        found: bool,
    },
    /// Bytes were lost, added or changed.
    #[error("connection {connection}: the {at:?} got {found:?} of {sent:?}")]
    NotConserved {
        connection: usize,
        at: End,
        sent: Bytes,
        found: Bytes,
    },
    /// The client's proxy wrote a frame without a reason that it may have.
    #[error("connection {connection}: the client's proxy wrote a frame without a reason")]
    Unfounded { connection: usize },
    /// An application got a frame of a proxy.
    #[error("connection {connection}: the {at:?} got the other side's frame")]
    Leaked { connection: usize, at: End },
    /// A server that does not read frames got a second one by proof.
    #[error(
        "connection {connection}: a frame went by proof to a server that had not read the one before"
    )]
    LeakedTwice { connection: usize },
    /// The client's proxy did not count every frame by proof that was answered without one.
    #[error("{expected} frames by proof were answered without one, {found} are counted")]
    Uncounted { expected: u64, found: u64 },
    /// The value of a metric is not the reference's.
    #[error("{reporter} {metric} is {found}, the reference says {expected}")]
    Metric {
        reporter: &'static str,
        metric: &'static str,
        expected: u64,
        found: u64,
    },
}

/// Bytes, shown as text where they are printable.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes \"{}\"", self.0.len(), self.0.escape_ascii())
    }
}
