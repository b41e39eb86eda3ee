//! The metrics and their names.

use crate::host::MetricKind;

/// The metrics of a connection. The first four are Istio's; the rest is opt-in.
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
    /// How long connections lasted, in milliseconds.
    ConnectionDuration,
    /// How long it took until the peer's frame was read, in milliseconds from the open.
    ExchangeDuration,
    /// Connections closed, with the response flags that they had in the end.
    Terminated,
}

impl Metric {
    /// Istio's.
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

    /// Its name without the prefix, as `metrics[].name` of the configuration has it.
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

/// Metrics that Istio's stats filter records for HTTP and gRPC and this one never does.
pub(crate) const HTTP_METRICS: [&str; 6] = [
    "requests_total",
    "request_duration_milliseconds",
    "request_bytes",
    "response_bytes",
    "request_messages_total",
    "response_messages_total",
];
