//! The content of a scenario file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::at_once::{Act, AtOnce};
use super::expectation::Expectation;
use super::listener::{Chain, ChainFilter, WasmFilter};
use super::roles::{End, Side};
use super::time;
use super::tls::Mtls;
use crate::bytes::Bytes;
use crate::config::ConnectMode;
use crate::fault::Fault;
use crate::profile::Profile;

/// A scenario: one file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Scenario {
    /// A file in the same folder that this one is merged into: maps are merged, all other values are
    /// replaced. Only [`Scenario::read`] reads it.
    #[serde(default)]
    pub base: Option<String>,
    /// A short title.
    #[serde(default)]
    pub name: String,
    /// The reason for the scenario, or the source of the rule.
    #[serde(default)]
    pub about: String,
    /// The configuration of both filters, unless a sidecar has its own.
    #[serde(default)]
    pub configuration: Value,
    /// The client's sidecar.
    #[serde(default)]
    pub outbound: Option<SidecarSpec>,
    /// The server's sidecar.
    #[serde(default)]
    pub inbound: Option<SidecarSpec>,
    /// TLS between the two sidecars, or between the only one and its peer.
    #[serde(default)]
    pub mtls: Option<Mtls>,
    /// Labels to extract from stat names, as `stats_tags` in Envoy's bootstrap.
    #[serde(default)]
    pub labels: BTreeSet<String>,
    /// The steps.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// One sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SidecarSpec {
    /// The identity.
    #[serde(default)]
    pub node: NodeSpec,
    /// The filter's configuration, if it is not the scenario's.
    #[serde(default)]
    pub configuration: Option<Value>,
    /// Whether the sidecar has the filter.
    #[serde(default = "yes")]
    pub filter: bool,
    /// The filters in front of tcp_proxy, in order, in place of the one filter.
    #[serde(default)]
    pub filters: Vec<ChainFilter>,
    /// The filter chains of the listener, in place of one chain with `filters`.
    #[serde(default)]
    pub chains: Vec<Chain>,
    /// The plugin's root id; a module with several filters selects one by it.
    #[serde(default)]
    pub root_id: String,
    /// The version of Envoy, such as `"1.36"`, or `legacy`; the newest by default. A real Envoy
    /// plays only scenarios of its own version.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// Filter state of each new connection, in place of one of Envoy's own filters: strings, or
    /// objects for a Struct. Only the emulator supports it.
    #[serde(default)]
    pub filter_state: BTreeMap<String, Value>,
    /// Filter state of each upstream connection, likewise.
    #[serde(default)]
    pub upstream_filter_state: BTreeMap<String, Value>,
    /// The key of the filter state of each new connection that takes the JA4 fingerprint of the
    /// ClientHello, which tells the first ALPN protocol offered. In real Envoy a `tls_inspector`
    /// and a `set_filter_state` filter in front of the wasm filter store it.
    #[serde(default)]
    pub ja4_filter_state: Option<String>,
    /// The event after which tcp_proxy connects upstream, by its name in Envoy's configuration.
    #[serde(default)]
    pub upstream_connect_mode: ConnectMode,
    /// The number of bytes with which tcp_proxy stops reading before it has an upstream connection.
    #[serde(default = "early_data")]
    pub max_early_data_bytes: usize,
    /// The time without bytes after which tcp_proxy closes a connection; an hour by default.
    #[serde(default, deserialize_with = "time::optional")]
    #[schemars(with = "Option<time::Text>")]
    pub idle_timeout: Option<Duration>,
    /// The length of a read buffer, in bytes, above which a connection is not read; 1 MiB by
    /// default.
    #[serde(default)]
    pub buffer_limit: Option<usize>,
    /// A fault to inject into host calls of the filter, of several the last. Only the emulator
    /// supports it.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// The cluster that tcp_proxy routes to.
    #[serde(default)]
    pub cluster: Target,
    /// Clusters that a chain, or the filter state `envoy.tcp_proxy.cluster`, can choose in place of
    /// `cluster`. They lead to the same server.
    #[serde(default)]
    pub clusters: Vec<Target>,
    /// The cluster's one host.
    #[serde(default)]
    pub host: Target,
}

/// The bootstrap's `node`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeSpec {
    /// `node.id`
    #[serde(default)]
    pub id: String,
    /// `node.metadata`
    #[serde(default)]
    pub metadata: Value,
}

/// A cluster or a host.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Target {
    /// The cluster's name; a host has none.
    #[serde(default)]
    pub name: Option<String>,
    /// Metadata: one object for each `filter_metadata` namespace.
    #[serde(default)]
    pub metadata: Value,
    /// The highest number of connections to the cluster.
    #[serde(default)]
    pub max_connections: Option<u32>,
}

/// One step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The client application connects.
    Connect(Connect),
    /// An action of the client application.
    Client(Act),
    /// An action of the server application.
    Server(Act),
    /// Actions of both applications, of which none waits for another: a list of `client` and
    /// `server`. See [`Scenario::in_each_order`].
    AtOnce(AtOnce),
    /// Time passes: `500ms`, `15s` or `2m`.
    #[serde(deserialize_with = "time::duration")]
    Advance(#[schemars(with = "time::Text")] Duration),
    /// The listener of a sidecar gets another configuration of a filter: new connections have it,
    /// the others keep the old one until `drain`.
    Update(Update),
    /// The drain time of an updated sidecar is over: the connections with the old configuration are
    /// closed.
    Drain(Side),
    /// A check of conditions: immediately on a virtual clock, with a time limit in real time.
    Expect(Box<Expectation>),
}

/// Another configuration of a filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Update {
    /// The sidecar.
    pub side: Side,
    /// The position of the filter among the wasm filters of all chains of the sidecar, from 0.
    #[serde(default)]
    pub filter: usize,
    /// The new configuration: text, or an object for JSON.
    pub configuration: Value,
}

/// The opening of a connection.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Connect {
    /// The connection's name in later steps. A single connection needs none.
    #[serde(default)]
    pub connection: String,
    /// The bytes that the server sends first.
    #[serde(default)]
    pub greeting: Option<Bytes>,
    /// The size of the pieces into which every write is divided.
    #[serde(default)]
    pub chunks: Option<usize>,
}

impl Scenario {
    /// Returns the scenario with a fault in the filter of this side. Without such a sidecar there
    /// is no fault.
    #[must_use]
    pub fn with_fault(&self, side: Side, fault: Fault) -> Self {
        let mut scenario = self.clone();
        let sidecar = match side {
            Side::Outbound => &mut scenario.outbound,
            Side::Inbound => &mut scenario.inbound,
        };
        if let Some(sidecar) = sidecar {
            sidecar.fault = Some(fault);
        }
        scenario
    }

    /// Returns the scenario with this version of Envoy in the sidecars that do not name one.
    #[must_use]
    pub fn with_profile(&self, profile: Profile) -> Self {
        let mut scenario = self.clone();
        let sidecars = [&mut scenario.outbound, &mut scenario.inbound];
        for sidecar in sidecars.into_iter().flatten() {
            sidecar.profile.get_or_insert(profile);
        }
        scenario
    }

    /// Returns the sidecar of a side.
    pub fn sidecar(&self, side: Side) -> Option<&SidecarSpec> {
        match side {
            Side::Outbound => self.outbound.as_ref(),
            Side::Inbound => self.inbound.as_ref(),
        }
    }

    /// Returns the configuration of a side's filter as the bytes that the host passes; none for
    /// null.
    pub fn configuration(&self, side: Side) -> Vec<u8> {
        let own = self
            .sidecar(side)
            .and_then(|sidecar| sidecar.configuration.as_ref());
        bytes(own.unwrap_or(&self.configuration))
    }

    /// Returns the wasm filters that the scenario lists, of both sidecars, to change them.
    pub fn wasm_filters_mut(&mut self) -> impl Iterator<Item = &mut WasmFilter> {
        let sidecars = [&mut self.outbound, &mut self.inbound];
        let sidecars = sidecars.into_iter().flatten();
        sidecars.flat_map(SidecarSpec::wasm_filters_mut)
    }

    /// Returns the configuration of this filter of a side, likewise.
    pub fn configuration_of(&self, side: Side, filter: &WasmFilter) -> Vec<u8> {
        match &filter.configuration {
            Some(own) => bytes(own),
            None => self.configuration(side),
        }
    }
}

impl SidecarSpec {
    /// Returns the filter chains of the listener, at least one.
    pub fn listener_chains(&self) -> Vec<Chain> {
        if !self.chains.is_empty() {
            return self.chains.clone();
        }
        let under_test = || {
            ChainFilter::Wasm(Box::new(WasmFilter {
                root_id: self.root_id.clone(),
                ..WasmFilter::default()
            }))
        };
        let filters = match self.filters.as_slice() {
            [] => self.filter.then(under_test).into_iter().collect(),
            filters => filters.to_vec(),
        };
        vec![Chain {
            filters,
            ..Chain::default()
        }]
    }

    /// Returns the positions of the wasm filters, as an [`Update`] counts them.
    pub fn wasm_positions(&self) -> Range<usize> {
        let chains = self.listener_chains();
        let filters = chains.iter().flat_map(|chain| &chain.filters);
        let wasm = filters.filter(|filter| matches!(filter, ChainFilter::Wasm(_)));
        0..wasm.count()
    }

    /// The wasm filters of all chains, in order.
    fn wasm_filters_mut(&mut self) -> impl Iterator<Item = &mut WasmFilter> {
        let chains = self.chains.iter_mut().flat_map(|chain| &mut chain.filters);
        let filters = self.filters.iter_mut().chain(chains);
        filters.filter_map(|filter| match filter {
            ChainFilter::Wasm(filter) => Some(&mut **filter),
            _ => None,
        })
    }
}

impl Update {
    /// Returns the configuration as the bytes that the host passes.
    pub fn bytes(&self) -> Vec<u8> {
        bytes(&self.configuration)
    }
}

/// A configuration as the bytes that the host passes; none for null.
fn bytes(configuration: &Value) -> Vec<u8> {
    match configuration {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        document => document.to_string().into_bytes(),
    }
}

impl Step {
    /// Returns the actions of applications in this step.
    pub fn acts(&self) -> Vec<(End, &Act)> {
        match self {
            Self::Client(act) => vec![(End::Client, act)],
            Self::Server(act) => vec![(End::Server, act)],
            Self::AtOnce(at_once) => at_once.acts().collect(),
            Self::Connect(_)
            | Self::Advance(_)
            | Self::Update(_)
            | Self::Drain(_)
            | Self::Expect(_) => Vec::new(),
        }
    }
}

fn early_data() -> usize {
    8192
}

fn yes() -> bool {
    true
}
