//! The configuration of an Envoy before its start.

mod chains;
mod filters;
mod tcp_proxy;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::Sidecar;
use super::envoy::{Envoy, Route};
use super::error::StartError;
use super::filter_chain::FilterChain;
use super::spec::{ChainSpec, ElementSpec};
use crate::clock::Clock;
use crate::config::{ConnectMode, Direction};
use crate::host::{Process, SharedData};
use crate::log::Logs;
use crate::module::Module;
use crate::profile::Profile;
use crate::property::{Cluster, FilterState, Node, UpstreamHost, Value};
use crate::stats::{Stats, StatsTag};
use crate::tls::Tls;

/// The configuration of an Envoy, as its bootstrap describes it.
#[derive(Debug, Clone)]
pub struct SidecarBuilder {
    /// At least one.
    chains: Vec<ChainSpec>,
    direction: Direction,
    profile: Profile,
    node: Node,
    cluster: Cluster,
    upstream_host: UpstreamHost,
    upstream_tls: Option<Tls>,
    downstream_tls: Option<Tls>,
    source: String,
    destination: String,
    stats_tags: Vec<StatsTag>,
    workers: usize,
    filter_state: FilterState,
    upstream_filter_state: FilterState,
    upstream_refused: bool,
    connect_mode: ConnectMode,
    max_early_data_bytes: usize,
    idle_timeout: Option<Duration>,
    buffer_limit: usize,
    /// Clusters that a filter or a chain can choose, and numbers of connections, by cluster.
    clusters: Vec<(Cluster, UpstreamHost)>,
    max_connections: BTreeMap<String, u32>,
    fingerprint_key: Option<String>,
    clock: Clock,
    beside: Option<Rc<Process>>,
}

impl SidecarBuilder {
    pub(crate) fn new(module: Option<Module>, direction: Direction) -> Self {
        let (cluster, port) = match direction {
            Direction::Inbound => ("inbound|8080||", 8080),
            Direction::Outbound | Direction::Unspecified => {
                ("outbound|8080||server.default.svc.cluster.local", 15001)
            }
        };
        Self {
            chains: vec![ChainSpec {
                elements: module.map(ElementSpec::new).into_iter().collect(),
                ..ChainSpec::default()
            }],
            direction,
            profile: Profile::default(),
            node: Node::new("node"),
            cluster: Cluster::new(cluster),
            upstream_host: UpstreamHost::new("127.0.0.1:8080"),
            upstream_tls: None,
            downstream_tls: None,
            source: "127.0.0.1:40000".into(),
            destination: format!("127.0.0.1:{port}"),
            stats_tags: Vec::new(),
            workers: 1,
            filter_state: FilterState::default(),
            upstream_filter_state: FilterState::default(),
            upstream_refused: false,
            connect_mode: ConnectMode::default(),
            max_early_data_bytes: 8192,
            idle_timeout: Some(Duration::from_secs(3600)),
            buffer_limit: 1024 * 1024,
            clusters: Vec::new(),
            max_connections: BTreeMap::new(),
            fingerprint_key: None,
            clock: Clock::default(),
            beside: None,
        }
    }

    /// Sets the listener's direction, if it is not the constructor's.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Sets the version of Envoy that is emulated, by default the newest.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets the identity of this proxy.
    #[must_use]
    pub fn node(mut self, node: Node) -> Self {
        self.node = node;
        self
    }

    /// Sets the cluster that tcp_proxy routes to.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = cluster;
        self
    }

    /// Sets the endpoint that the load balancer chooses.
    #[must_use]
    pub fn upstream_host(mut self, host: UpstreamHost) -> Self {
        self.upstream_host = host;
        self
    }

    /// Sets TLS on the upstream connection. None by default.
    #[must_use]
    pub fn upstream_tls(mut self, tls: Tls) -> Self {
        self.upstream_tls = Some(tls);
        self
    }

    /// Sets TLS on the downstream connection. None by default.
    #[must_use]
    pub fn downstream_tls(mut self, tls: Tls) -> Self {
        self.downstream_tls = Some(tls);
        self
    }

    /// Sets the `ip:port` of the downstream peer, and the one that it connects to.
    #[must_use]
    pub fn addresses(mut self, source: impl Into<String>, destination: impl Into<String>) -> Self {
        self.source = source.into();
        self.destination = destination.into();
        self
    }

    /// Adds tag extraction rules (`stats_config.stats_tags` in the bootstrap).
    #[must_use]
    pub fn stats_tags(mut self, tags: impl IntoIterator<Item = StatsTag>) -> Self {
        self.stats_tags.extend(tags);
        self
    }

    /// Sets the number of worker threads, each with a VM of its own. 1 by default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets the clock, so that several Envoys can share one.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// Sets filter state of each new connection, in place of one of Envoy's own filters: a string,
    /// bytes, or a map, which becomes a `google.protobuf.Struct` with readable fields. A property
    /// that a wasm filter sets has the key `wasm.<name>` and is read as `<name>`.
    ///
    /// ```
    /// # use host_harness::{SidecarBuilder, Value};
    /// fn behind_istio_peer_exchange(sidecar: SidecarBuilder) -> SidecarBuilder {
    ///     sidecar.filter_state("downstream_peer", Value::map([("workload", "ratings-v2".into())]))
    /// }
    /// ```
    #[must_use]
    pub fn filter_state(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filter_state.set_value(key.into(), value.into());
        self
    }

    /// Stores the JA4 fingerprint of the ClientHello in the filter state of each new connection, as
    /// a `tls_inspector` with `enable_ja4_fingerprinting` and a `set_filter_state` filter with
    /// `%TLS_JA4_FINGERPRINT%` do. It tells the first ALPN protocol that the client offered: in a
    /// [`Rig`](crate::Rig) the outbound proxy's offer, otherwise
    /// [`Tls::offered_alpn`](crate::Tls::offered_alpn).
    #[must_use]
    pub fn ja4_filter_state(mut self, key: impl Into<String>) -> Self {
        self.fingerprint_key = Some(key.into());
        self
    }

    /// Sets filter state of each upstream connection, in place of a filter on that connection. It
    /// is the attribute `upstream_filter_state` as soon as tcp_proxy has chosen the host.
    #[must_use]
    pub fn upstream_filter_state(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        self.upstream_filter_state
            .set_value(key.into(), value.into());
        self
    }

    /// Adds this listener to the Envoy of another sidecar: the two share node, clock, stats, shared
    /// data and log.
    #[must_use]
    pub fn beside(mut self, other: &Sidecar) -> Self {
        self.beside = Some(other.envoy().process.clone());
        self
    }

    /// Starts the VMs and configures the filters.
    ///
    /// # Errors
    /// A module cannot be loaded, a filter rejects its configuration, or a chain has a cluster that
    /// does not exist.
    pub fn start(self) -> Result<Sidecar, StartError> {
        let process = self.beside.unwrap_or_else(|| {
            Rc::new(Process {
                profile: self.profile,
                node: self.node.to_value(self.profile.release()),
                clock: self.clock,
                stats: RefCell::new(Stats::new(self.stats_tags)),
                shared: RefCell::new(SharedData::default()),
                logs: Logs::default(),
                clusters: RefCell::default(),
            })
        });
        let default = (self.cluster, self.upstream_host);
        let routes: Vec<_> = std::iter::once(default).chain(self.clusters).collect();
        let names = routes.iter().map(|(cluster, _)| cluster.name.clone());
        let names: Vec<_> = names.collect();
        for chain in &self.chains {
            if let Some(cluster) = chain.cluster.as_ref().filter(|own| !names.contains(own)) {
                return Err(StartError::NoCluster {
                    chain: chain.name.clone(),
                    cluster: cluster.clone(),
                    known: names,
                });
            }
        }
        process.clusters.borrow_mut().extend(names);
        let routes = routes.into_iter();
        let routes = routes
            .map(|(cluster, host)| Route::new(cluster, host))
            .collect();
        let mut chains = Vec::new();
        for chain in self.chains {
            let started = FilterChain::start(chain, &process, self.direction, self.workers);
            chains.push(started?);
        }
        Ok(Sidecar::new(Envoy {
            process,
            routes,
            max_connections: self.max_connections,
            upstream_tls: self.upstream_tls,
            downstream_tls: self.downstream_tls,
            source: self.source,
            destination: self.destination,
            chains,
            filter_state: self.filter_state,
            upstream_filter_state: self.upstream_filter_state,
            upstream_refused: self.upstream_refused,
            connect_mode: self.connect_mode,
            max_early_data_bytes: self.max_early_data_bytes,
            idle_timeout: self.idle_timeout,
            buffer_limit: self.buffer_limit,
            wakes: RefCell::default(),
            fingerprint_key: self.fingerprint_key,
            last_connection: Cell::new(0),
            paths: RefCell::default(),
            deferred: RefCell::default(),
        }))
    }
}

impl Sidecar {
    /// Configures an Envoy with a listener for traffic to its application, and the filter in it.
    pub fn inbound(module: &Module) -> SidecarBuilder {
        SidecarBuilder::new(Some(module.clone()), Direction::Inbound)
    }

    /// Configures an Envoy with a listener for traffic from its application, and the filter in it.
    pub fn outbound(module: &Module) -> SidecarBuilder {
        SidecarBuilder::new(Some(module.clone()), Direction::Outbound)
    }

    /// Configures an Envoy without a filter: tcp_proxy alone.
    pub fn passthrough() -> SidecarBuilder {
        SidecarBuilder::new(None, Direction::Outbound)
    }
}
