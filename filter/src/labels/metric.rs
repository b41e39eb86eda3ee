//! The metrics and their names.

use crate::host::MetricKind;

/// The metrics of a connection. The first four are Istio's; the others are opt-in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Metric {
    /// Connections opened.
    Opened,
    /// Connections closed.
    Closed,
    /// Bytes from the server to the client, on both reporters.
    Sent,
    /// Bytes from the client to the server, on both reporters.
    Received,
    /// Connections that are open now.
    Open,
    /// The duration of connections, in milliseconds.
    ConnectionDuration,
    /// The time from the open until the peer's frame was read, in milliseconds.
    ExchangeDuration,
    /// Connections closed, with their response flags at the close.
    Terminated,
}

impl Metric {
    /// Istio's metrics.
    pub(crate) const STANDARD: [Self; 4] = [Self::Opened, Self::Closed, Self::Sent, Self::Received];

    /// Every metric, in the order of the enumeration.
    pub(crate) const ALL: [Self; 8] = [
        Self::Opened,
        Self::Closed,
        Self::Sent,
        Self::Received,
        Self::Open,
        Self::ConnectionDuration,
        Self::ExchangeDuration,
        Self::Terminated,
    ];

    /// Its name without the prefix, as in `metrics[].name` of the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Opened => "tcp_connections_opened_total",
            Self::Closed => "tcp_connections_closed_total",
            Self::Sent => "tcp_sent_bytes_total",
            Self::Received => "tcp_received_bytes_total",
            Self::Open => "tcp_connections_open",
            Self::ConnectionDuration => "tcp_connection_duration_milliseconds",
            Self::ExchangeDuration => "tcp_exchange_duration_milliseconds",
            Self::Terminated => "tcp_connections_terminated_total",
        }
    }

    pub(crate) fn kind(self) -> MetricKind {
        match self {
            Self::Opened | Self::Closed | Self::Sent | Self::Received | Self::Terminated => {
                MetricKind::Counter
            }
            Self::Open => MetricKind::Gauge,
            Self::ConnectionDuration | Self::ExchangeDuration => MetricKind::Histogram,
        }
    }
}

/// Exchanges by reporter and result.
pub(crate) const PEER_EXCHANGES: &str = "tcp_peer_exchange_total";
/// Connections with coarser labels because the series are at their limit.
pub(crate) const SERIES_OVERFLOWS: &str = "tcp_series_overflow_total";
/// Frames that a server answered without one, although it sent one on an earlier connection.
pub(crate) const UNANSWERED_FRAMES: &str = "tcp_unanswered_frames_total";
/// Connections with the metadata of another connection of the same client.
pub(crate) const REUSED_METADATA: &str = "tcp_reused_metadata_total";
/// Peers with another namespace in their metadata than in their certificate.
pub(crate) const PEER_MISMATCHES: &str = "tcp_peer_mismatch_total";
/// Values of expressions that are neither text nor number.
pub(crate) const UNUSABLE_VALUES: &str = "tcp_unusable_values_total";

/// The filter's counters about itself, without the prefix.
pub(crate) const DIAGNOSTICS: [&str; 6] = [
    PEER_EXCHANGES,
    SERIES_OVERFLOWS,
    UNANSWERED_FRAMES,
    REUSED_METADATA,
    PEER_MISMATCHES,
    UNUSABLE_VALUES,
];

/// Metrics that Istio's stats filter records for HTTP and gRPC, and this filter does not.
pub(crate) const HTTP_METRICS: [&str; 6] = [
    "requests_total",
    "request_duration_milliseconds",
    "request_bytes",
    "response_bytes",
    "request_messages_total",
    "response_messages_total",
];
