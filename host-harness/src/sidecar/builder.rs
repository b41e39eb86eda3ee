//! Describing an Envoy before it starts.

use super::pool::Pool;
use super::{Direction, FailurePolicy, Inner, Profile, Sidecar};
use crate::clock::Clock;
use crate::host::{Fault, Faults, LogLine, Logs, Plugin, Process, Sandbox, SharedData, Tls};
use crate::module::{LoadError, Module};
use crate::property::{
    Cluster, FilterState, Node, PROXY_ATTRIBUTES, StateObject, UpstreamHost, Value,
};
use crate::stats::{Stats, StatsTag};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// An Envoy to be started: what its bootstrap would say.
#[derive(Debug, Clone)]
pub struct SidecarBuilder {
    filters: Vec<FilterSpec>,
    direction: Direction,
    profile: Profile,
    node: Node,
    cluster: Cluster,
    upstream_host: UpstreamHost,
    pub(crate) upstream_tls: Option<Tls>,
    pub(crate) downstream_tls: Option<Tls>,
    source: String,
    destination: String,
    filter_chain_name: String,
    application_protocols: Vec<String>,
    stats_tags: Vec<StatsTag>,
    workers: usize,
    filter_state: FilterState,
    upstream_filter_state: FilterState,
    upstream_refused: bool,
    clock: Clock,
    beside: Option<Rc<Process>>,
}

/// One filter of the chain.
#[derive(Debug, Clone)]
pub(super) struct FilterSpec {
    pub(super) module: Module,
    pub(super) plugin: Plugin,
    pub(super) policy: FailurePolicy,
    pub(super) sandbox: Sandbox,
    pub(super) fault: Option<Fault>,
}

impl FilterSpec {
    fn new(module: Module) -> Self {
        Self {
            module,
            plugin: Plugin::default(),
            policy: FailurePolicy::default(),
            sandbox: Sandbox::default(),
            fault: None,
        }
    }
}

/// Why an Envoy does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The module cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// `proxy_on_vm_start` or `proxy_on_configure` answered false, or trapped.
    #[error(
        "the filter refuses its configuration; it logged:{}{}",
        lines(logs),
        missing(missing_properties)
    )]
    Refused {
        /// What was logged meanwhile.
        logs: Vec<LogLine>,
        /// The properties it asked for that were not there.
        missing_properties: BTreeSet<String>,
        /// What it died of, if it did not merely refuse.
        trap: Option<String>,
    },
}

fn lines(logs: &[LogLine]) -> String {
    if logs.is_empty() {
        return " nothing".into();
    }
    logs.iter().map(|line| format!("\n  {line}")).collect()
}

/// Roots that only older Envoys have may be all that is wrong.
fn missing(properties: &BTreeSet<String>) -> String {
    if properties.is_empty() {
        return String::new();
    }
    let names: Vec<_> = properties.iter().map(String::as_str).collect();
    let legacy = |path: &str| {
        let root = path.split('.').next().unwrap_or(path);
        PROXY_ATTRIBUTES.contains(&root)
    };
    let hint = match names.iter().any(|path| legacy(path)) {
        true => "; Envoys before 1.33 had such roots: Profile::Legacy, or a node that says more",
        false => "",
    };
    format!(
        "\nit asked for properties that are not there: {}{hint}",
        names.join(", ")
    )
}

impl SidecarBuilder {
    pub(super) fn new(module: Option<Module>, direction: Direction) -> Self {
        let (cluster, port) = match direction {
            Direction::Inbound => ("inbound|8080||", 8080),
            Direction::Outbound => ("outbound|8080||server.default.svc.cluster.local", 15001),
        };
        Self {
            filters: module.map(FilterSpec::new).into_iter().collect(),
            direction,
            profile: Profile::default(),
            node: Node::new("node"),
            cluster: Cluster::new(cluster),
            upstream_host: UpstreamHost::new("127.0.0.1:8080"),
            upstream_tls: None,
            downstream_tls: None,
            source: "127.0.0.1:40000".into(),
            destination: format!("127.0.0.1:{port}"),
            filter_chain_name: String::new(),
            application_protocols: Vec::new(),
            stats_tags: Vec::new(),
            workers: 1,
            filter_state: FilterState::new(),
            upstream_filter_state: FilterState::new(),
            upstream_refused: false,
            clock: Clock::default(),
            beside: None,
        }
    }

    /// The listener's direction, when it is not the constructor's.
    #[must_use]
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Which generation of Envoy names the attributes.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Who this proxy is.
    #[must_use]
    pub fn node(mut self, node: Node) -> Self {
        self.node = node;
        self
    }

    /// Puts another filter into the chain, behind those there are, with VMs of its own. What follows of plugin, VM, failure
    /// policy and capabilities is said of this one.
    ///
    /// Filters read in this order and write in the reverse one. They share the connection's buffers, stream info and filter
    /// state: what one sets with `proxy_set_property` the others read.
    #[must_use]
    pub fn filter(mut self, module: &Module) -> Self {
        self.filters.push(FilterSpec::new(module.clone()));
        self
    }

    /// The plugin's configuration, as `proxy_on_configure` can read it. Empty by default.
    #[must_use]
    pub fn plugin_config(self, configuration: impl AsRef<[u8]>) -> Self {
        self.last(|filter| filter.plugin.configuration = configuration.as_ref().to_vec())
    }

    /// The VM's configuration, as `proxy_on_vm_start` can read it. Empty by default.
    #[must_use]
    pub fn vm_config(self, configuration: impl AsRef<[u8]>) -> Self {
        self.last(|filter| filter.plugin.vm_configuration = configuration.as_ref().to_vec())
    }

    /// The plugin's `name`, `root_id` and `vm_config.vm_id`. Empty by default.
    #[must_use]
    pub fn plugin(
        self,
        name: impl Into<String>,
        root_id: impl Into<String>,
        vm_id: impl Into<String>,
    ) -> Self {
        self.last(|filter| {
            filter.plugin.name = name.into();
            filter.plugin.root_id = root_id.into();
            filter.plugin.vm_id = vm_id.into();
        })
    }

    /// An environment variable of the VM (`vm_config.environment_variables`). None by default.
    #[must_use]
    pub fn environment(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.last(|filter| {
            let environment = &mut filter.sandbox.environment;
            environment.insert(name.into(), value.into());
        })
    }

    /// The cluster that tcp_proxy routes to.
    #[must_use]
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = cluster;
        self
    }

    /// The endpoint that load balancing chooses.
    #[must_use]
    pub fn upstream_host(mut self, host: UpstreamHost) -> Self {
        self.upstream_host = host;
        self
    }

    /// TLS on the upstream connection. None by default.
    #[must_use]
    pub fn upstream_tls(mut self, tls: Tls) -> Self {
        self.upstream_tls = Some(tls);
        self
    }

    /// TLS on the downstream connection. None by default.
    #[must_use]
    pub fn downstream_tls(mut self, tls: Tls) -> Self {
        self.downstream_tls = Some(tls);
        self
    }

    /// The `ip:port` of the peer that connects, and the one it connected to.
    #[must_use]
    pub fn addresses(mut self, source: impl Into<String>, destination: impl Into<String>) -> Self {
        self.source = source.into();
        self.destination = destination.into();
        self
    }

    /// The name of the filter chain. Empty by default.
    #[must_use]
    pub fn filter_chain_name(mut self, name: impl Into<String>) -> Self {
        self.filter_chain_name = name.into();
        self
    }

    /// The listener's only filter chain is for connections that offer one of these ALPN protocols
    /// (`filter_chain_match.application_protocols`): in a [`Rig`](crate::Rig), the handshake of any other fails. None by default,
    /// which matches everything.
    #[must_use]
    pub fn application_protocols<S: Into<String>>(
        mut self,
        protocols: impl IntoIterator<Item = S>,
    ) -> Self {
        self.application_protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Adds tag extraction rules, as `stats_config.stats_tags` in the bootstrap.
    #[must_use]
    pub fn stats_tags(mut self, tags: impl IntoIterator<Item = StatsTag>) -> Self {
        self.stats_tags.extend(tags);
        self
    }

    /// The number of worker threads, each with a VM of its own. 1 by default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// A clock that several Envoys share.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// What happens to connections once the VM has failed.
    #[must_use]
    pub fn failure_policy(self, policy: FailurePolicy) -> Self {
        self.last(|filter| filter.policy = policy)
    }

    /// Restricts the filter to these callbacks and host functions, by their names in the ABI
    /// (`capability_restriction_config.allowed_capabilities`).
    #[must_use]
    pub fn allow_capabilities<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.last(|filter| filter.sandbox.capabilities = Some(names))
    }

    /// Makes host calls of the filter go wrong. None by default.
    ///
    /// ```
    /// # use host_harness::{Answer, Calls, Fault, SidecarBuilder};
    /// fn with_a_broken_call(sidecar: SidecarBuilder) -> SidecarBuilder {
    ///     sidecar.fault(Fault { calls: Calls::Nth(12), answer: Answer::Status(10) })
    /// }
    /// ```
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        self.last(|filter| filter.fault = Some(fault))
    }

    /// Filter state of each new connection, as a filter of Envoy's own leaves it in front of these: a string, bytes, or a map,
    /// which is a `google.protobuf.Struct` that paths and expressions walk. A property that a wasm filter set has the key
    /// `wasm.<name>` and is read as `<name>`.
    ///
    /// ```
    /// # use host_harness::{SidecarBuilder, Value};
    /// fn behind_istios_exchange(sidecar: SidecarBuilder) -> SidecarBuilder {
    ///     sidecar.filter_state("downstream_peer", Value::map([("workload", "ratings-v2".into())]))
    /// }
    /// ```
    #[must_use]
    pub fn filter_state(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let object = StateObject::of(value.into());
        self.filter_state.insert(key.into(), object);
        self
    }

    /// Filter state of each connection to the upstream, as a filter on that connection leaves it: the attribute
    /// `upstream_filter_state`, from the moment that tcp_proxy has chosen the host.
    #[must_use]
    pub fn upstream_filter_state(
        mut self,
        key: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        let object = StateObject::of(value.into());
        self.upstream_filter_state.insert(key.into(), object);
        self
    }

    /// The endpoint refuses connections.
    #[must_use]
    pub fn refuse_upstream(mut self) -> Self {
        self.upstream_refused = true;
        self
    }

    /// Puts it into the same Envoy as another one, which shares its node, clock, stats, shared data and log.
    #[must_use]
    pub fn beside(mut self, other: &Sidecar) -> Self {
        self.beside = Some(other.inner().process.clone());
        self
    }

    /// Says something of the filter that was added last.
    fn last(mut self, say: impl FnOnce(&mut FilterSpec)) -> Self {
        self.filters.last_mut().map(say);
        self
    }

    /// Starts the VMs and configures the filters.
    ///
    /// # Errors
    /// A module cannot be loaded, or a filter refuses its configuration.
    pub fn start(self) -> Result<Sidecar, StartError> {
        let process = self.beside.unwrap_or_else(|| {
            Rc::new(Process {
                profile: self.profile,
                node: self.node.to_value(),
                clock: self.clock,
                stats: RefCell::new(Stats::new(self.stats_tags)),
                shared: RefCell::new(SharedData::default()),
                logs: Logs::default(),
            })
        });
        let start = |mut filter: FilterSpec| {
            filter.plugin.direction = self.direction;
            filter.sandbox.faults = Faults::new(filter.fault.take());
            Pool::start(filter, process.clone(), self.workers)
        };
        let pools = self.filters.into_iter().map(start);
        let pools = pools.collect::<Result<_, _>>()?;
        Ok(Sidecar::from(Inner {
            process,
            cluster: self.cluster,
            upstream_host: self.upstream_host,
            upstream_tls: self.upstream_tls,
            downstream_tls: self.downstream_tls,
            source: self.source,
            destination: self.destination,
            filter_chain_name: self.filter_chain_name,
            application_protocols: self.application_protocols,
            pools,
            filter_state: self.filter_state,
            upstream_filter_state: self.upstream_filter_state,
            upstream_refused: self.upstream_refused,
            last_connection: Cell::new(0),
            paths: RefCell::default(),
            deferred: RefCell::default(),
        }))
    }
}
