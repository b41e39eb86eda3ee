//! The parts of Envoy's bootstrap that the harness knows, field by field as in `envoy.config`.

use super::reader::Any;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Debug, Deserialize)]
pub(super) struct Bootstrap {
    #[serde(default)]
    pub(super) node: Node,
    pub(super) admin: Option<Admin>,
    #[serde(default)]
    pub(super) stats_config: StatsConfig,
    pub(super) static_resources: StaticResources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) cluster: String,
    pub(super) metadata: Value,
    pub(super) locality: Option<Locality>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Locality {
    pub(super) region: String,
    pub(super) zone: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Admin {
    pub(super) address: Address,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatsConfig {
    pub(super) stats_tags: Vec<TagSpecifier>,
    /// Envoy's own tags: none of them matches a name of a filter.
    #[serde(rename = "use_all_default_tags")]
    pub(super) _use_all_default_tags: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct TagSpecifier {
    pub(super) tag_name: String,
    pub(super) regex: String,
}

/// Listeners and clusters are read one by one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StaticResources {
    pub(super) listeners: Vec<Listener>,
    pub(super) clusters: Vec<Cluster>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Address {
    socket_address: SocketAddress,
}

#[derive(Debug, Deserialize)]
struct SocketAddress {
    address: IpAddr,
    port_value: u16,
}

impl Address {
    pub(super) fn get(&self) -> SocketAddr {
        SocketAddr::new(self.socket_address.address, self.socket_address.port_value)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Listener {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) traffic_direction: TrafficDirection,
    pub(super) address: Address,
    #[serde(default)]
    pub(super) listener_filters: Vec<Filter>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) listener_filters_timeout: Option<Duration>,
    pub(super) per_connection_buffer_limit_bytes: Option<usize>,
    #[serde(default)]
    pub(super) filter_chains: Vec<FilterChain>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum TrafficDirection {
    #[default]
    Unspecified,
    Inbound,
    Outbound,
}

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    #[serde(default, rename = "name")]
    pub(super) _name: String,
    pub(super) typed_config: Any,
}

#[derive(Debug, Deserialize)]
pub(super) struct FilterChain {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) filter_chain_match: Value,
    pub(super) transport_socket: Option<Filter>,
    #[serde(default)]
    pub(super) filters: Vec<Filter>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FilterChainMatch {
    pub(crate) transport_protocol: String,
    pub(crate) application_protocols: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    pub(super) name: String,
    #[serde(default, rename = "type")]
    pub(super) kind: DiscoveryType,
    #[serde(default, deserialize_with = "duration")]
    pub(super) connect_timeout: Option<Duration>,
    pub(super) per_connection_buffer_limit_bytes: Option<usize>,
    #[serde(default)]
    pub(super) lb_policy: LbPolicy,
    pub(super) load_assignment: Option<LoadAssignment>,
    pub(super) metadata: Option<Metadata>,
    pub(super) transport_socket: Option<Filter>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) enum DiscoveryType {
    #[default]
    #[serde(rename = "STATIC")]
    Static,
}

#[derive(Debug, Default, Deserialize)]
pub(super) enum LbPolicy {
    #[default]
    #[serde(rename = "ROUND_ROBIN")]
    RoundRobin,
}

#[derive(Debug, Deserialize)]
pub(super) struct LoadAssignment {
    #[serde(default, rename = "cluster_name")]
    pub(super) _cluster_name: String,
    #[serde(default)]
    pub(super) endpoints: Vec<LocalityEndpoints>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LocalityEndpoints {
    #[serde(default)]
    pub(super) lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LbEndpoint {
    pub(super) endpoint: Endpoint,
    pub(super) metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Endpoint {
    pub(super) address: Address,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) filter_metadata: Value,
}

#[derive(Debug, Deserialize)]
pub(super) struct TcpProxy {
    #[serde(default, rename = "stat_prefix")]
    pub(super) _stat_prefix: String,
    pub(super) cluster: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wasm {
    pub(super) config: PluginConfig,
}

#[derive(Debug, Deserialize)]
pub(super) struct PluginConfig {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) root_id: String,
    pub(super) vm_config: VmConfig,
    pub(super) configuration: Option<Any>,
    #[serde(default)]
    pub(super) failure_policy: FailurePolicy,
    #[serde(default)]
    pub(super) reload_config: ReloadConfig,
    #[serde(default)]
    pub(super) fail_open: bool,
    pub(super) capability_restriction_config: Option<CapabilityRestrictionConfig>,
}

/// What becomes of connections when the VM has died.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum FailurePolicy {
    #[default]
    #[serde(rename = "UNSPECIFIED", alias = "FAIL_CLOSED")]
    Closed,
    #[serde(rename = "FAIL_OPEN")]
    Open,
    #[serde(rename = "FAIL_RELOAD")]
    Reload,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReloadConfig {
    pub(super) backoff: BackoffStrategy,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct BackoffStrategy {
    #[serde(default, deserialize_with = "duration")]
    pub(super) base_interval: Option<Duration>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CapabilityRestrictionConfig {
    /// The values say how, which no Envoy looks at yet.
    #[serde(default)]
    pub(super) allowed_capabilities: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VmConfig {
    #[serde(default)]
    pub(super) vm_id: String,
    #[serde(default, rename = "runtime")]
    pub(super) _runtime: String,
    pub(super) code: AsyncDataSource,
    pub(super) configuration: Option<Any>,
    #[serde(default, rename = "allow_precompiled")]
    pub(super) _allow_precompiled: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct AsyncDataSource {
    pub(super) local: Option<LocalFile>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LocalFile {
    pub(super) filename: Option<String>,
}

/// A protobuf duration: `5s`, `0.25s`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let seconds = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no duration such as \"5s\"")))
}
