//! The results of the peer exchange.

/// How the exchange of a connection ended: the label `result` of `tcp_peer_exchange_total`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// The peer's frame was taken off and has metadata.
    Exchanged,
    /// The peer's bytes do not begin with a frame.
    Absent,
    /// A whole frame with a malformed payload was taken off.
    Malformed,
    /// A good frame without metadata was taken off.
    NoMetadata,
    /// The header announces a payload over the limit; the connection was closed.
    TooLarge,
    /// The stream ended inside the frame.
    Truncated,
    /// No frame was expected: by the mode, or because the connection has no mutual TLS.
    NotAttempted,
    /// A second frame follows the first: the peer has two exchange filters.
    Duplicate,
    /// The host did not return or change the bytes.
    HostFailure,
}

impl Outcome {
    /// Every outcome.
    pub(crate) const ALL: [Self; 9] = [
        Self::Exchanged,
        Self::Absent,
        Self::Malformed,
        Self::NoMetadata,
        Self::TooLarge,
        Self::Truncated,
        Self::NotAttempted,
        Self::Duplicate,
        Self::HostFailure,
    ];

    /// The value of the label `result`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Exchanged => "exchanged",
            Self::Absent => "absent",
            Self::Malformed => "malformed",
            Self::NoMetadata => "no_metadata",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
            Self::NotAttempted => "not_attempted",
            Self::Duplicate => "duplicate",
            Self::HostFailure => "host_failure",
        }
    }
}
