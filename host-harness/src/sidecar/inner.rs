//! The state of an emulated Envoy.

use super::Downstream;
use super::pool::Pool;
use super::{Sidecar, StartError};
use crate::host::{Deferred, Process, Stream, StreamInfo, Tls, Upstream};
use crate::l4::{Dialing, Hop, Path, pump};
use crate::property::{Cluster, FilterState, UpstreamHost};
use crate::worker::Worker;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// What a [`Sidecar`] is.
pub(crate) struct Inner {
    pub(crate) process: Rc<Process>,
    pub(crate) cluster: Cluster,
    pub(crate) upstream_host: UpstreamHost,
    pub(crate) upstream_tls: Option<Tls>,
    pub(crate) downstream_tls: Option<Tls>,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) filter_chain_name: String,
    /// What its filter chain matches; nothing matches everything.
    pub(crate) application_protocols: Vec<String>,
    /// The filters, in the order of the chain.
    pub(super) pools: Vec<Pool>,
    /// What each new connection starts with.
    pub(super) filter_state: FilterState,
    /// What each connection to the upstream starts with.
    pub(super) upstream_filter_state: FilterState,
    pub(super) upstream_refused: bool,
    pub(super) last_connection: Cell<u64>,
    pub(super) paths: RefCell<Vec<Weak<RefCell<Path>>>>,
    /// Actions on streams other than the one whose callback asked for them.
    pub(super) deferred: RefCell<Vec<Deferred>>,
}

impl Inner {
    /// A new downstream connection; workers take turns.
    pub(crate) fn accept(self: &Rc<Self>) -> Hop {
        let downstream = Downstream {
            source: self.source.clone(),
            destination: self.destination.clone(),
            filter_chain_name: self.filter_chain_name.clone(),
            tls: self.downstream_tls.clone(),
        };
        let route = Upstream {
            cluster: self.cluster.clone(),
            host: self.upstream_host.clone(),
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
        let info = StreamInfo {
            connection_id,
            source: downstream.source,
            destination: downstream.destination,
            filter_chain_name: downstream.filter_chain_name,
            downstream_tls: downstream.tls,
            handshake_done: false,
            upstream: None,
            response_flags: 0,
            upstream_failure: None,
            filter_state: self.filter_state.clone(),
        };
        Hop::new(self.clone(), admissions, Stream::new(info), route, dialing)
    }

    /// What tells this Envoy from others.
    pub(crate) fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The workers that are loaded now.
    pub(crate) fn workers(&self) -> Vec<Rc<Worker>> {
        self.pools.iter().flat_map(Pool::workers).collect()
    }

    /// Host calls that were disturbed.
    pub(super) fn disturbed(&self) -> u64 {
        self.pools.iter().map(Pool::disturbed).sum()
    }

    /// A property was said not to exist that may well do so.
    pub(crate) fn denied(&self) -> bool {
        self.pools.iter().any(Pool::denied)
    }

    pub(crate) fn register(&self, path: &Rc<RefCell<Path>>) {
        let mut paths = self.paths.borrow_mut();
        // Not at every connection: with very many open ones, looking at them all would be most of the work.
        if paths.len() == paths.capacity() {
            paths.retain(|path| path.strong_count() > 0);
            let live = paths.len();
            paths.reserve(live.max(1));
        }
        paths.push(Rc::downgrade(path));
    }

    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.workers()
            .iter()
            .filter_map(|worker| worker.next_tick())
            .min()
    }

    /// Delivers the tick that is due next.
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

    pub(crate) fn defer(&self, action: Deferred) {
        self.deferred.borrow_mut().push(action);
    }

    /// Carries out what callbacks asked for outside of their own stream.
    pub(crate) fn run_deferred(&self) {
        self.announce_queues();
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

impl Inner {
    /// Tells the roots that registered a queue what was put into it. Envoy posts this to the worker's event loop.
    fn announce_queues(&self) {
        loop {
            let Some(ready) = self.process.shared.borrow_mut().next_ready() else {
                break;
            };
            for worker in self
                .workers()
                .iter()
                .filter(|worker| worker.vm() == ready.vm)
            {
                for action in worker.queue_ready(ready.root, ready.token) {
                    self.defer(action);
                }
            }
        }
    }

    /// A listener update: new connections get the new configuration, old ones keep their root.
    pub(super) fn update(&self, configuration: &[u8]) -> Result<(), StartError> {
        match self.pools.first() {
            Some(pool) => pool.update(configuration.to_vec()),
            None => Ok(()),
        }
    }

    /// The drain time is over: connections of old roots are closed, then the roots shut down.
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

impl From<Inner> for Sidecar {
    fn from(inner: Inner) -> Self {
        Self::new(Rc::new(inner))
    }
}
