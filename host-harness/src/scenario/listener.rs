//! The filter chains of a sidecar's listener.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::time;
use crate::chain::{EnvoyFilter, Rbac, TransportProtocol};
use crate::config::FailurePolicy;

/// A filter chain.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Chain {
    /// The name, which the attribute `xds.filter_chain_name` has.
    #[serde(default)]
    pub name: String,
    /// The server names (SNI) that the chain matches, `*.` in front for all names below; none for
    /// any.
    #[serde(default)]
    pub server_names: Vec<String>,
    /// The transport protocol that the chain matches: `tls` or `raw_buffer`. A chain for
    /// `raw_buffer` has no TLS.
    #[serde(default)]
    pub transport_protocol: Option<TransportProtocol>,
    /// The ALPN protocols that the chain matches; none for any.
    #[serde(default)]
    pub application_protocols: Vec<String>,
    /// The cluster of its tcp_proxy, one of the sidecar's `clusters`; by default its `cluster`.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The filters in front of tcp_proxy, in order.
    #[serde(default)]
    pub filters: Vec<ChainFilter>,
}

/// A filter of a chain: a map with its kind as the only key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ChainFilter {
    /// A wasm filter: the one under test, or that of `module`.
    Wasm(Box<WasmFilter>),
    /// `envoy.filters.network.rbac`
    Rbac(Rbac),
    /// `envoy.filters.network.sni_cluster`
    SniCluster {},
    /// `envoy.filters.network.set_filter_state`: strings by object key.
    SetFilterState(BTreeMap<String, String>),
    /// `envoy.filters.network.connection_limit`
    ConnectionLimit {
        /// The highest number of open connections.
        max_connections: u32,
    },
}

/// A wasm filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WasmFilter {
    /// The file of its module, relative to the scenario; by default the filter under test.
    #[serde(default)]
    pub module: Option<PathBuf>,
    /// The plugin's name.
    #[serde(default)]
    pub name: String,
    /// The plugin's root id; a module with several filters selects one by it.
    #[serde(default)]
    pub root_id: String,
    /// The id of its VM. Filters with the same id share data and queues.
    #[serde(default)]
    pub vm_id: String,
    /// The configuration: text, or an object for JSON. By default the sidecar's.
    #[serde(default)]
    pub configuration: Option<Value>,
    /// The configuration of its VM.
    #[serde(default)]
    pub vm_configuration: String,
    /// The treatment of connections after its VM has failed, by its name in Envoy's configuration.
    #[serde(default)]
    pub failure_policy: Policy,
    /// With `FAIL_RELOAD`, the least time between two starts of the VM (`base_interval`). Envoy 1.40
    /// waits up to half of it longer, and ends with a division by zero if it is below `2ms`.
    #[serde(default = "second", deserialize_with = "time::duration")]
    #[schemars(with = "time::Text")]
    pub reload_backoff: Duration,
}

/// A failure policy by its name in Envoy's configuration.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Policy {
    /// New connections are closed.
    #[default]
    FailClosed,
    /// New connections pass without the filter.
    FailOpen,
    /// A new connection starts a new VM.
    FailReload,
}

impl Chain {
    /// Returns whether the chain matches only some connections.
    pub fn has_condition(&self) -> bool {
        !self.server_names.is_empty()
            || !self.application_protocols.is_empty()
            || self.transport_protocol.is_some()
    }
}

impl ChainFilter {
    /// The filter, if it is one of Envoy's own.
    pub fn own(&self) -> Option<EnvoyFilter> {
        Some(match self {
            Self::Wasm(_) => return None,
            Self::Rbac(rbac) => EnvoyFilter::Rbac(rbac.clone()),
            Self::SniCluster {} => EnvoyFilter::SniCluster {},
            Self::SetFilterState(objects) => EnvoyFilter::SetFilterState(objects.clone()),
            Self::ConnectionLimit { max_connections } => EnvoyFilter::ConnectionLimit {
                max_connections: *max_connections,
            },
        })
    }
}

impl WasmFilter {
    pub(super) fn policy(&self) -> FailurePolicy {
        match self.failure_policy {
            Policy::FailClosed => FailurePolicy::FailClosed,
            Policy::FailOpen => FailurePolicy::FailOpen,
            Policy::FailReload => FailurePolicy::FailReload {
                backoff: self.reload_backoff,
            },
        }
    }
}

fn second() -> Duration {
    Duration::from_secs(1)
}
