//! Configuration of an emulated Envoy: plain types without behaviour.

use std::time::Duration;

/// The direction of a listener's traffic; the numbers are Envoy's `TrafficDirection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// A listener without `traffic_direction`. Its attribute has this value (measured).
    Unspecified = 0,
    /// To the application beside the proxy.
    #[default]
    Inbound = 1,
    /// From the application beside the proxy.
    Outbound = 2,
}

/// The event after which tcp_proxy connects upstream (`upstream_connect_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ConnectMode {
    /// The accept of the downstream connection.
    #[default]
    Immediate,
    /// The first bytes from the client; its end of stream alone is none.
    OnDownstreamData,
    /// The end of the downstream TLS handshake; without TLS, the accept.
    OnDownstreamTlsHandshake,
}

impl ConnectMode {
    /// The name in Envoy's configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Immediate => "IMMEDIATE",
            Self::OnDownstreamData => "ON_DOWNSTREAM_DATA",
            Self::OnDownstreamTlsHandshake => "ON_DOWNSTREAM_TLS_HANDSHAKE",
        }
    }
}

/// Envoy's treatment of connections after a filter's VM has failed (`failure_policy`). All policies
/// close the connection whose callback trapped; measured with Envoy 1.40.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// New connections are closed. Envoy's default.
    #[default]
    FailClosed,
    /// New connections pass without the filter.
    FailOpen,
    /// The next connection starts a new VM if the last start is at least `backoff` ago; otherwise
    /// the connection is closed.
    FailReload {
        /// `reload_config.backoff.base_interval`.
        backoff: Duration,
    },
}

/// One plugin: the filter configuration of a listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) direction: Direction,
    pub(crate) configuration: Vec<u8>,
    pub(crate) vm_configuration: Vec<u8>,
}
