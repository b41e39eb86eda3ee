//! The state of an emulated Envoy.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::error::StartError;
use super::pool::Pool;
use crate::config::ConnectMode;
use crate::failure::FilterFailure;
use crate::host::{Deferred, Process, Stream};
use crate::l4::{Dialing, Hop, Path, Proxy, pump};
use crate::property::{Cluster, FilterState, UpstreamHost};
use crate::stream_info::{Downstream, StreamInfo, Upstream};
use crate::tls::Tls;
use crate::worker::Worker;

/// The state behind a [`Sidecar`](super::Sidecar).
pub(crate) struct Envoy {
    pub(crate) process: Rc<Process>,
    pub(crate) cluster: Cluster,
    pub(crate) upstream_host: UpstreamHost,
    pub(crate) upstream_tls: Option<Tls>,
    pub(crate) downstream_tls: Option<Tls>,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) filter_chain_name: String,
    /// The ALPN protocols that the filter chain matches; empty for any.
    pub(crate) application_protocols: Vec<String>,
    /// The filters, in the order of the chain.
    pub(super) pools: Vec<Pool>,
    /// The initial filter state of each downstream connection.
    pub(super) filter_state: FilterState,
    /// The initial filter state of each upstream connection.
    pub(super) upstream_filter_state: FilterState,
    pub(super) upstream_refused: bool,
    pub(super) connect_mode: ConnectMode,
    pub(super) max_early_data_bytes: usize,
    pub(super) fingerprint_key: Option<String>,
    pub(super) last_connection: Cell<u64>,
    pub(super) paths: RefCell<Vec<Weak<RefCell<Path>>>>,
    /// Actions for streams other than the one whose callback requested them.
    pub(super) deferred: RefCell<Vec<Deferred>>,
}

impl Envoy {
    /// The cluster and the host that tcp_proxy chooses unless a test names others.
    pub(crate) fn default_upstream(&self) -> (Cluster, UpstreamHost) {
        (self.cluster.clone(), self.upstream_host.clone())
    }

    /// Accepts a downstream connection. Workers get connections in turn.
    pub(crate) fn accept(self: &Rc<Self>) -> Hop {
        let (cluster, host) = self.default_upstream();
        self.accept_to(cluster, host)
    }

    /// Accepts a downstream connection. tcp_proxy chooses this cluster and host.
    pub(crate) fn accept_to(self: &Rc<Self>, cluster: Cluster, host: UpstreamHost) -> Hop {
        let downstream = Downstream {
            source: self.source.clone(),
            destination: self.destination.clone(),
            filter_chain_name: self.filter_chain_name.clone(),
            tls: self.downstream_tls.clone(),
        };
        let route = Upstream {
            cluster,
            host,
            tls: self.upstream_tls.clone(),
            filter_state: self.upstream_filter_state.clone(),
        };
        let dialing = if self.upstream_refused {
            Dialing::Refused
        } else {
            Dialing::Emulated
        };
        self.accept_from(downstream, route, dialing)
    }

    pub(super) fn accept_from(
        self: &Rc<Self>,
        downstream: Downstream,
        route: Upstream,
        dialing: Dialing,
    ) -> Hop {
        let connection_id = self.last_connection.get() + 1;
        self.last_connection.set(connection_id);
        let turn = usize::try_from(connection_id - 1).unwrap_or_default();
        let admissions = self.pools.iter().map(|pool| pool.admit(turn)).collect();
        let mut info = StreamInfo::new(connection_id, downstream, self.filter_state.clone());
        info.accepted = self.process.clock.now();
        info.fingerprint_key.clone_from(&self.fingerprint_key);
        Hop::new(self.clone(), admissions, Stream::new(info), route, dialing)
            .connect_mode(self.connect_mode, self.max_early_data_bytes)
    }

    /// The current workers.
    pub(crate) fn workers(&self) -> Vec<Rc<Worker>> {
        self.pools.iter().flat_map(Pool::workers).collect()
    }

    /// The failures of all filters.
    pub(super) fn failures(&self) -> Vec<FilterFailure> {
        self.pools.iter().flat_map(Pool::failures).collect()
    }

    /// The number of host calls with an injected fault.
    pub(super) fn injected_faults(&self) -> u64 {
        self.pools.iter().map(|pool| pool.faults().injected()).sum()
    }

    /// Fault injection hid a property that may exist.
    pub(crate) fn hid_property(&self) -> bool {
        self.pools.iter().any(|pool| pool.faults().hid_property())
    }

    /// Registers a path of this Envoy's connections, for actions of other connections and for
    /// listener updates.
    pub(crate) fn register(&self, path: &Rc<RefCell<Path>>) {
        let mut paths = self.paths.borrow_mut();
        // Only when the list is full: a scan at every connection is slow with many open ones.
        if paths.len() == paths.capacity() {
            paths.retain(|path| path.strong_count() > 0);
            let live = paths.len();
            paths.reserve(live.max(1));
        }
        paths.push(Rc::downgrade(path));
    }

    /// The time of the next tick.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.workers()
            .iter()
            .filter_map(|worker| worker.next_tick())
            .min()
    }

    /// Delivers the next tick.
    pub(crate) fn tick(&self) {
        let workers = self.workers();
        let next = workers
            .iter()
            .filter_map(|worker| Some((worker.next_tick()?, worker)));
        let Some((_, worker)) = next.min_by_key(|(due, _)| *due) else {
            return;
        };
        for action in worker.tick(self.process.clock.now()) {
            self.defer(action);
        }
        self.run_deferred();
    }

    /// Calls `proxy_on_queue_ready` for new items. Envoy posts this to the worker's event loop.
    fn notify_queue_owners(&self) {
        loop {
            let next = self.process.shared.borrow_mut().next_notification();
            let Some((owner, token)) = next else {
                break;
            };
            let workers = self.workers();
            for worker in workers.iter().filter(|worker| worker.vm() == owner.vm) {
                for action in worker.queue_ready(owner.root, token) {
                    self.defer(action);
                }
            }
        }
    }

    /// Updates the listener: new connections get the new configuration, old ones keep their root.
    pub(super) fn update(&self, configuration: &[u8]) -> Result<(), StartError> {
        match self.pools.first() {
            Some(pool) => pool.update(configuration.to_vec()),
            None => Ok(()),
        }
    }

    /// Ends the drain time: closes connections of old roots, then shuts the roots down.
    pub(super) fn finish_draining(&self) {
        let paths: Vec<_> = self
            .paths
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for path in paths {
            path.borrow_mut().close_drained(self.identity());
            pump(&path);
        }
        for worker in self.workers() {
            worker.retire_old_roots();
        }
    }
}

impl Proxy for Envoy {
    fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn defer(&self, action: Deferred) {
        self.deferred.borrow_mut().push(action);
    }

    fn run_deferred(&self) {
        self.notify_queue_owners();
        loop {
            let Some(action) = self.deferred.borrow_mut().pop() else {
                break;
            };
            let (Deferred::ContinueReading { connection: id, .. } | Deferred::Close(id)) = action
            else {
                continue;
            };
            let paths: Vec<_> = self
                .paths
                .borrow()
                .iter()
                .filter_map(Weak::upgrade)
                .collect();
            for path in paths {
                let identity = self.identity();
                let found = path
                    .borrow_mut()
                    .hop(identity, id)
                    .map(|hop| hop.run_deferred(action));
                if found.is_some() {
                    pump(&path);
                }
            }
        }
    }
}
