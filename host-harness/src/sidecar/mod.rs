//! One emulated Envoy with one listener: the filter under test, then tcp_proxy.

mod builder;
mod inner;
mod pool;

pub use builder::{SidecarBuilder, StartError};
pub(crate) use inner::Inner;
pub(crate) use pool::Admission;
pub use pool::FailurePolicy;

use crate::clock::Clock;
use crate::host::{LogLine, Tls, Upstream};
use crate::l4::{Connection, Dialing, Relay};
use crate::module::Module;
use crate::property::{Cluster, FilterState, UpstreamHost};
use crate::stats::{MetricQuery, Series};
use crate::trace::{ContextCounts, Event, HostcallCounts};
use crate::worker::Worker;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// Which way a listener's traffic goes; the numbers are Envoy's `TrafficDirection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// To the application beside the proxy.
    #[default]
    Inbound = 1,
    /// From the application beside the proxy.
    Outbound = 2,
}

/// Which generation of Envoy names the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Envoy since 1.33: node, cluster and listener live below `xds.` only (measured: 1.36 to 1.40).
    #[default]
    Xds,
    /// Envoys of Istio 1.7's age: `node`, `cluster_name`, … are roots of their own.
    Legacy,
}

/// What is known of a downstream connection when it is accepted.
#[derive(Debug, Clone, Default)]
pub struct Downstream {
    /// The `ip:port` of the peer.
    pub source: String,
    /// The `ip:port` it connected to.
    pub destination: String,
    /// The name of the filter chain.
    pub filter_chain_name: String,
    /// What is known of its TLS before the handshake: the own certificate and the server name.
    pub tls: Option<Tls>,
}

/// An emulated Envoy. Clones are the same Envoy.
#[derive(Clone)]
pub struct Sidecar(Rc<Inner>);

impl Sidecar {
    /// An Envoy with a listener for traffic to its application, and the filter in it.
    pub fn inbound(module: &Module) -> SidecarBuilder {
        SidecarBuilder::new(Some(module.clone()), Direction::Inbound)
    }

    /// An Envoy with a listener for traffic from its application, and the filter in it.
    pub fn outbound(module: &Module) -> SidecarBuilder {
        SidecarBuilder::new(Some(module.clone()), Direction::Outbound)
    }

    /// An Envoy without a filter: tcp_proxy alone.
    pub fn passthrough() -> SidecarBuilder {
        SidecarBuilder::new(None, Direction::Outbound)
    }

    pub(crate) fn new(inner: Rc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn inner(&self) -> &Rc<Inner> {
        &self.0
    }

    /// Opens a connection from a client application through this proxy to a server application.
    pub fn connect(&self) -> Connection {
        self.connect_greeted(b"")
    }

    /// Opens a connection to a server that speaks first, at once: its greeting passes the filter before the downstream
    /// TLS handshake is finished, as measured with a fast server on loopback.
    pub fn connect_greeted(&self, greeting: impl AsRef<[u8]>) -> Connection {
        Connection::open(vec![self.0.accept()], greeting.as_ref().to_vec())
    }

    /// Accepts a connection whose peers are outside of the harness; tcp_proxy will choose this cluster and host.
    pub fn relay(&self, downstream: Downstream, cluster: Cluster, host: UpstreamHost) -> Relay {
        let route = Upstream {
            cluster,
            host,
            tls: None,
            filter_state: FilterState::new(),
        };
        Relay::open(self.0.accept_from(downstream, route, Dialing::Owner))
    }

    /// When the next tick is due, on the clock.
    pub fn next_tick(&self) -> Option<Duration> {
        self.0.next_tick()
    }

    /// Updates the listener with another configuration of its first plugin: a new root in every VM, for new connections. The old root goes
    /// on serving its connections and getting ticks until [`Self::finish_draining`].
    ///
    /// # Errors
    /// The filter refuses the configuration: the old one stays in force, as in Envoy.
    pub fn update_config(&self, configuration: impl AsRef<[u8]>) -> Result<(), StartError> {
        self.0.update(configuration.as_ref())
    }

    /// Ends the drain time: what old roots still serve is closed, and they are told that they are done.
    pub fn finish_draining(&self) {
        self.0.finish_draining();
    }

    /// Moves the clock, delivering every tick that falls due on the way.
    pub fn advance(&self, by: Duration) {
        advance(&self.0.process.clock, std::slice::from_ref(self), by);
    }

    /// The virtual clock.
    pub fn clock(&self) -> &Clock {
        &self.0.process.clock
    }

    /// A search for metrics by their Prometheus name.
    pub fn metric(&self, name: &str) -> MetricQuery {
        MetricQuery::new(name, self.series())
    }

    /// Every metric of the filter, by Prometheus name and labels.
    pub fn series(&self) -> Vec<Series> {
        self.0.process.stats.borrow().series()
    }

    /// The text of `/stats`, of the filter's counters and gauges.
    pub fn stats_text(&self) -> String {
        self.0.process.stats.borrow().text()
    }

    /// The text of `/stats/prometheus`, of the filter's metrics.
    pub fn prometheus_text(&self) -> String {
        self.0.process.stats.borrow().prometheus_text()
    }

    /// What was logged so far.
    pub fn logs(&self) -> Vec<LogLine> {
        self.0.process.logs.all()
    }

    /// What was logged since the last call, and forgets it.
    pub fn take_logs(&self) -> Vec<LogLine> {
        self.0.process.logs.take()
    }

    /// Host calls so far, of all workers.
    pub fn hostcalls(&self) -> HostcallCounts {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().trace.counts.clone())
            .sum()
    }

    /// Host calls that a [`Fault`](crate::Fault) has disturbed so far.
    pub fn disturbed_hostcalls(&self) -> u64 {
        self.0.disturbed()
    }

    /// Fuel burned so far, of all workers. The unit is wasmtime's: about one per instruction.
    pub fn fuel(&self) -> u64 {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().trace.fuel)
            .sum()
    }

    /// Allocations that the filter has made so far, in all workers. Only a filter with the crate `count-allocations` linked
    /// in counts them; for others this is 0.
    pub fn allocations(&self) -> u64 {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().trace.allocations)
            .sum()
    }

    /// Fuel of the last callback of the first worker.
    pub fn last_fuel(&self) -> u64 {
        self.0
            .workers()
            .first()
            .map_or(0, |worker| worker.host().trace.last_fuel)
    }

    /// Linear memory of all workers, in bytes.
    pub fn memory_size(&self) -> usize {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.memory_size())
            .sum()
    }

    /// Contexts that exist in all workers, roots included.
    pub fn context_count(&self) -> usize {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().context_count())
            .sum()
    }

    /// Contexts that the filter was told to create and to delete so far, in all workers.
    pub fn contexts(&self) -> ContextCounts {
        let workers = self.0.workers();
        let counts = workers.iter().map(|worker| worker.host().trace.contexts);
        counts.sum()
    }

    /// Starts recording a trace.
    pub fn record_trace(&self) {
        for worker in self.0.workers() {
            worker.host_mut().trace.record();
        }
    }

    /// The trace since the last call.
    pub fn take_trace(&self) -> Vec<Event> {
        self.0
            .workers()
            .iter()
            .flat_map(|worker| worker.host_mut().trace.take())
            .collect()
    }

    /// The properties that filters asked for so far and that were not there, their parts joined with dots: what to set up
    /// for a filter one does not know.
    pub fn missing_properties(&self) -> BTreeSet<String> {
        let workers = self.0.workers();
        let missing = |worker: &Rc<Worker>| worker.host().trace.missing_properties.clone();
        workers.iter().flat_map(missing).collect()
    }

    /// The filter trapped, and its VM is dead.
    pub fn is_failed(&self) -> bool {
        self.failure().is_some()
    }

    /// What the filter died of; if a host call had been refused it within that callback, which one.
    pub fn failure(&self) -> Option<String> {
        self.0.workers().iter().find_map(|worker| worker.failure())
    }
}

/// Moves the clock of several proxies; ticks fire in the order of their times.
pub(crate) fn advance(clock: &Clock, sidecars: &[Sidecar], by: Duration) {
    let end = clock.now() + by;
    loop {
        let next = sidecars
            .iter()
            .filter_map(|sidecar| Some((sidecar.0.next_tick()?, sidecar)))
            .min_by_key(|(due, _)| *due);
        let Some((due, sidecar)) = next.filter(|(due, _)| *due <= end) else {
            break;
        };
        clock.set(due.max(clock.now()));
        sidecar.0.tick();
    }
    clock.set(end);
}
