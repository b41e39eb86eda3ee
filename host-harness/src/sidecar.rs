//! One emulated Envoy with one listener: the filter under test, then tcp_proxy.

mod builder;
mod envoy;
mod error;
mod filter_chain;
mod pool;
mod spec;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

pub use builder::SidecarBuilder;
pub use error::StartError;

use crate::clock::Clock;
use crate::failure::FilterFailure;
use crate::l4::{Connection, Path, Relay};
use crate::log::LogLine;
use crate::property::{Cluster, FilterState, UpstreamHost};
use crate::stats::{MetricQuery, Series};
use crate::stream_info::{Downstream, Upstream};
use crate::trace::{ContextCounts, Event, HostcallCounts, Moment};
use envoy::Envoy;

/// An emulated Envoy. Clones share the Envoy.
#[derive(Clone)]
pub struct Sidecar(Rc<Envoy>);

impl Sidecar {
    pub(crate) fn new(envoy: Envoy) -> Self {
        Self(Rc::new(envoy))
    }

    pub(crate) fn envoy(&self) -> &Rc<Envoy> {
        &self.0
    }

    /// Opens a connection from a client application through this proxy to a server application.
    pub fn connect(&self) -> Connection {
        self.connect_greeted(b"")
    }

    /// Opens a connection to a server that sends a greeting immediately. The greeting passes the
    /// filter before the downstream TLS handshake is complete, as measured with a fast server on
    /// loopback.
    pub fn connect_greeted(&self, greeting: impl AsRef<[u8]>) -> Connection {
        let path = Path::new(self.0.accept_client(), self.0.clone(), Vec::new());
        self.0.register(&path);
        Connection::open(path, greeting.as_ref().to_vec())
    }

    /// Accepts a connection whose peers are outside of the harness. tcp_proxy chooses this cluster
    /// and host.
    pub fn relay(&self, downstream: Downstream, cluster: Cluster, host: UpstreamHost) -> Relay {
        let route = Upstream {
            cluster,
            host: Some(host),
            tls: None,
            filter_state: FilterState::default(),
        };
        let hop = self.0.accept_from(downstream, route);
        let path = Path::new(hop, self.0.clone(), Vec::new());
        self.0.register(&path);
        Relay::open(path)
    }

    /// Returns the time of the next tick or idle timeout on the clock.
    pub fn next_tick(&self) -> Option<Duration> {
        self.0.next_tick()
    }

    /// Updates the listener with another configuration of its first plugin: see
    /// [`Self::update_plugin`].
    ///
    /// # Errors
    /// The filter rejects the configuration. The old one stays in force, as in Envoy.
    pub fn update_config(&self, configuration: impl AsRef<[u8]>) -> Result<(), StartError> {
        self.update_plugin(0, configuration)
    }

    /// Updates the listener with another configuration of one plugin, by its position among the
    /// wasm filters of all chains, from 0: every VM gets a new root, for new connections. The old root
    /// keeps its connections and its ticks until [`Self::finish_draining`].
    ///
    /// # Errors
    /// The filter rejects the configuration, or there is none at this position. The old one stays in
    /// force, as in Envoy.
    pub fn update_plugin(
        &self,
        position: usize,
        configuration: impl AsRef<[u8]>,
    ) -> Result<(), StartError> {
        self.0.update(position, configuration.as_ref())
    }

    /// Ends the drain time: connections of old roots are closed, then the roots shut down.
    pub fn finish_draining(&self) {
        self.0.finish_draining();
    }

    /// Moves the clock and delivers every tick that becomes due.
    pub fn advance(&self, by: Duration) {
        advance(&self.0.process.clock, std::slice::from_ref(self), by);
    }

    /// Returns the virtual clock.
    pub fn clock(&self) -> &Clock {
        &self.0.process.clock
    }

    /// Searches for metrics by their Prometheus name.
    pub fn metric(&self, name: &str) -> MetricQuery {
        MetricQuery::new(name, self.series())
    }

    /// Returns every metric of the filter, by Prometheus name and labels.
    pub fn series(&self) -> Vec<Series> {
        self.0.process.stats.borrow().series()
    }

    /// Returns the text of `/stats` for the filter's counters and gauges.
    pub fn stats_text(&self) -> String {
        self.0.process.stats.borrow().text()
    }

    /// Returns the text of `/stats/prometheus` for the filter's metrics.
    pub fn prometheus_text(&self) -> String {
        self.0.process.stats.borrow().prometheus_text()
    }

    /// Returns all log lines.
    pub fn logs(&self) -> Vec<LogLine> {
        self.0.process.logs.all()
    }

    /// Removes and returns all log lines.
    pub fn take_logs(&self) -> Vec<LogLine> {
        self.0.process.logs.take()
    }

    /// Returns the host calls of all workers.
    pub fn hostcalls(&self) -> HostcallCounts {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().trace.counts.clone())
            .sum()
    }

    /// Returns the number of host calls that a [`Fault`](crate::Fault) has affected.
    pub fn injected_faults(&self) -> u64 {
        self.0.injected_faults()
    }

    /// Returns the fuel that all workers have consumed. The unit is wasmtime's: about one for each
    /// instruction.
    pub fn fuel(&self) -> u64 {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().trace.fuel)
            .sum()
    }

    /// Returns the allocations of the filter in all workers; 0 unless the filter links the crate
    /// `count-allocations`.
    pub fn allocations(&self) -> u64 {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().trace.allocations)
            .sum()
    }

    /// Returns the fuel of the last callback of the first worker.
    pub fn last_fuel(&self) -> u64 {
        self.0
            .workers()
            .first()
            .map_or(0, |worker| worker.host().trace.last_fuel)
    }

    /// Returns the size of the linear memory of all workers in bytes.
    pub fn memory_size(&self) -> usize {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.memory_size())
            .sum()
    }

    /// Returns the number of contexts in all workers, roots included.
    pub fn context_count(&self) -> usize {
        self.0
            .workers()
            .iter()
            .map(|worker| worker.host().context_count())
            .sum()
    }

    /// Returns the numbers of contexts that were created and deleted in all workers.
    pub fn contexts(&self) -> ContextCounts {
        let workers = self.0.workers();
        let counts = workers.iter().map(|worker| worker.host().trace.contexts);
        counts.sum()
    }

    /// Starts recording a trace.
    pub fn record_trace(&self) {
        for worker in self.0.workers() {
            worker.host_mut().trace.record(self.clock());
        }
    }

    /// Removes and returns the recorded trace: the events in their order.
    pub fn take_trace(&self) -> Vec<Event> {
        let moments = self.take_timeline().into_iter();
        moments.map(|moment| moment.event).collect()
    }

    /// Removes and returns the recorded trace with times and numbers, by which the traces of several
    /// sidecars on one clock can be merged.
    pub fn take_timeline(&self) -> Vec<Moment> {
        let workers = self.0.workers();
        let taken = workers.iter().map(|worker| worker.host_mut().trace.take());
        let mut moments: Vec<_> = taken.flatten().collect();
        moments.sort_by_key(|moment| moment.number);
        moments
    }

    /// Returns the properties that filters requested and that do not exist, with dots between the
    /// parts of a path. For an unknown filter, these are the properties to set up.
    pub fn missing_properties(&self) -> BTreeSet<String> {
        self.0
            .workers()
            .iter()
            .flat_map(|worker| worker.host().trace.missing_properties.clone())
            .collect()
    }

    /// Returns whether a filter has failed: see [`Self::failures`].
    pub fn is_failed(&self) -> bool {
        !self.failures().is_empty()
    }

    /// Returns the first failure of a filter.
    pub fn failure(&self) -> Option<FilterFailure> {
        self.failures().into_iter().next()
    }

    /// Returns the failures of all filters: traps, callbacks that hang, and calls of host functions
    /// that the emulator does not support. The reason of a trap has the last host call of that
    /// callback that was refused.
    pub fn failures(&self) -> Vec<FilterFailure> {
        self.0.failures()
    }
}

/// Moves the clock of several proxies. Ticks are delivered in the order of their times.
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
