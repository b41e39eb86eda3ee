//! The state of an emulated Envoy.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::error::StartError;
use super::filter_chain::FilterChain;
use super::pool::Pool;
use crate::chain::{ChainMatch, ClientHello};
use crate::config::ConnectMode;
use crate::failure::FilterFailure;
use crate::host::{Deferred, Process, Stream};
use crate::l4::{Count, Dialing, Hop, Listener, Path, Proxy, pump};
use crate::profile::Profile;
use crate::property::{Cluster, FilterState, UpstreamHost};
use crate::stream_info::{Downstream, StreamInfo, Upstream};
use crate::tls::Tls;
use crate::worker::Worker;

/// The state behind a [`Sidecar`](super::Sidecar).
pub(crate) struct Envoy {
    pub(crate) process: Rc<Process>,
    /// The listener's cluster and its host, then others that a chain or a filter can choose.
    pub(super) routes: Vec<Route>,
    /// The highest numbers of connections, by cluster.
    pub(super) max_connections: BTreeMap<String, u32>,
    pub(crate) upstream_tls: Option<Tls>,
    pub(crate) downstream_tls: Option<Tls>,
    pub(crate) source: String,
    pub(crate) destination: String,
    /// At least one.
    pub(super) chains: Vec<FilterChain>,
    /// The initial filter state of each downstream connection.
    pub(super) filter_state: FilterState,
    /// The initial filter state of each upstream connection.
    pub(super) upstream_filter_state: FilterState,
    pub(super) upstream_refused: bool,
    pub(super) connect_mode: ConnectMode,
    pub(super) max_early_data_bytes: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) buffer_limit: usize,
    /// The times at which connections are woken.
    pub(super) wakes: RefCell<BTreeSet<(Duration, u64)>>,
    pub(super) fingerprint_key: Option<String>,
    pub(super) last_connection: Cell<u64>,
    pub(super) paths: RefCell<Vec<Weak<RefCell<Path>>>>,
    /// Actions for streams other than the one whose callback requested them.
    pub(super) deferred: RefCell<Vec<Deferred>>,
}

/// A cluster, its host and its connections.
pub(crate) struct Route {
    cluster: Cluster,
    host: UpstreamHost,
    count: Count,
}

impl Route {
    pub(super) fn new(cluster: Cluster, host: UpstreamHost) -> Self {
        Self {
            cluster,
            host,
            count: Count::default(),
        }
    }
}

impl Envoy {
    /// The cluster and the host that tcp_proxy chooses unless a test names others.
    pub(crate) fn default_upstream(&self) -> (Cluster, UpstreamHost) {
        let route = self.routes.first();
        let chosen = route.map(|route| (route.cluster.clone(), route.host.clone()));
        chosen.unwrap_or_default()
    }

    /// Accepts a connection of an application. `None`: no filter chain matches, or the first bytes
    /// decide.
    pub(crate) fn accept_client(self: &Rc<Self>) -> Option<Hop> {
        let (cluster, host) = self.default_upstream();
        self.accept_to(cluster, host)
    }

    /// Accepts a connection of an application likewise. tcp_proxy chooses this cluster and host.
    pub(crate) fn accept_to(self: &Rc<Self>, cluster: Cluster, host: UpstreamHost) -> Option<Hop> {
        let hello = self.client();
        if self.needs_first_bytes() && !hello.is_tls {
            return None;
        }
        let chain = self.find_chain(&hello)?;
        Some(self.accept_in(chain, &hello, self.upstream(cluster, host)))
    }

    /// Accepts a connection whose peers are outside of the harness.
    pub(super) fn accept_from(
        self: &Rc<Self>,
        downstream: Downstream,
        route: Upstream,
    ) -> Option<Hop> {
        let chain = self.chains.first()?;
        Some(self.open_hop(chain, downstream, route, Dialing::Owner))
    }

    fn find_chain(&self, hello: &ClientHello) -> Option<&FilterChain> {
        let matches: Vec<_> = self.chains.iter().map(|chain| &chain.matching).collect();
        self.chains.get(ChainMatch::find(&matches, hello)?)
    }

    fn upstream(&self, cluster: Cluster, host: UpstreamHost) -> Upstream {
        Upstream {
            cluster,
            host: Some(host),
            tls: self.upstream_tls.clone(),
            filter_state: self.upstream_filter_state.clone(),
        }
    }

    fn accept_in(
        self: &Rc<Self>,
        chain: &FilterChain,
        hello: &ClientHello,
        route: Upstream,
    ) -> Hop {
        let tls = self.downstream_tls.clone().filter(|_| hello.is_tls);
        let downstream = Downstream {
            source: self.source.clone(),
            destination: self.destination.clone(),
            filter_chain_name: chain.name.clone(),
            tls: tls.map(|tls| tls.server_name(&hello.server_name)),
        };
        let dialing = match self.upstream_refused {
            true => Dialing::Refused,
            false => Dialing::Emulated,
        };
        let own = chain.cluster.as_deref().and_then(|name| self.route(name));
        let hop = self.open_hop(chain, downstream, own.unwrap_or(route), dialing);
        hop.fingerprint(&hello.alpn, self.fingerprint_key.as_deref())
    }

    fn open_hop(
        self: &Rc<Self>,
        chain: &FilterChain,
        downstream: Downstream,
        route: Upstream,
        dialing: Dialing,
    ) -> Hop {
        let connection_id = self.last_connection.get() + 1;
        self.last_connection.set(connection_id);
        let turn = usize::try_from(connection_id - 1).unwrap_or_default();
        let mut info = StreamInfo::new(connection_id, downstream, self.filter_state.clone());
        info.accepted = self.process.clock.now();
        let filters = chain.admit(turn);
        Hop::new(self.clone(), filters, Stream::new(info), route, dialing)
            .chain(chain.generation())
            .connect_mode(self.connect_mode, self.max_early_data_bytes)
            .idle_timeout(self.idle_timeout)
            .buffer_limit(self.buffer_limit)
    }

    /// The plugins, in the order of chains and filters.
    fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.chains.iter().flat_map(FilterChain::pools)
    }

    /// The current workers.
    pub(crate) fn workers(&self) -> Vec<Rc<Worker>> {
        self.pools().flat_map(Pool::workers).collect()
    }

    /// The failures of all filters.
    pub(super) fn failures(&self) -> Vec<FilterFailure> {
        self.pools().flat_map(Pool::failures).collect()
    }

    /// The number of host calls with an injected fault.
    pub(super) fn injected_faults(&self) -> u64 {
        self.pools().map(|pool| pool.faults().injected()).sum()
    }

    /// Fault injection hid a property that may exist.
    pub(crate) fn hid_property(&self) -> bool {
        self.pools().any(|pool| pool.faults().hid_property())
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
        let ticks = self.workers();
        let ticks = ticks.iter().filter_map(|worker| worker.next_tick());
        ticks.chain(self.next_wake()).min()
    }

    fn next_wake(&self) -> Option<Duration> {
        self.wakes.borrow().first().map(|(at, _)| *at)
    }

    /// Delivers the next tick, or wakes the next connection.
    pub(crate) fn tick(&self) {
        let now = self.process.clock.now();
        if self.next_wake().is_some_and(|at| at <= now) {
            return self.wake();
        }
        let workers = self.workers();
        let next = workers
            .iter()
            .filter_map(|worker| Some((worker.next_tick()?, worker)));
        let Some((_, worker)) = next.min_by_key(|(due, _)| *due) else {
            return;
        };
        for action in worker.tick(now) {
            self.defer(action);
        }
        self.run_deferred();
    }

    /// Wakes the connection whose time has come.
    fn wake(&self) {
        let next = self.wakes.borrow_mut().pop_first();
        let Some((_, connection)) = next else {
            return;
        };
        self.change_hop(connection, Hop::wake);
        self.run_deferred();
    }

    /// Changes the connection with this id.
    fn change_hop(&self, connection: u64, change: impl Fn(&mut Hop)) {
        let identity = self.identity();
        for path in self.live_paths() {
            let found = {
                let mut path = path.borrow_mut();
                path.hop(identity, connection).map(&change)
            };
            if found.is_some() {
                pump(&path);
            }
        }
    }

    fn live_paths(&self) -> Vec<Rc<RefCell<Path>>> {
        let paths = self.paths.borrow();
        paths.iter().filter_map(Weak::upgrade).collect()
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
    pub(super) fn update(&self, plugin: usize, configuration: &[u8]) -> Result<(), StartError> {
        let mut position = plugin;
        for chain in &self.chains {
            let count = chain.pools().count();
            match position.checked_sub(count) {
                Some(later) => position = later,
                None => return chain.update(position, configuration),
            }
        }
        Err(StartError::NoFilter {
            position: plugin,
            count: self.pools().count(),
        })
    }

    /// Ends the drain time: closes connections of old roots, the newest first, then shuts the roots
    /// down.
    pub(super) fn finish_draining(&self) {
        for path in self.live_paths().into_iter().rev() {
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

    fn has_notifications(&self) -> bool {
        self.process.shared.borrow().has_notifications()
    }

    fn notify_queues(&self) {
        self.notify_queue_owners();
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
            self.change_hop(id, |hop| hop.run_deferred(action));
        }
    }

    fn route(&self, cluster: &str) -> Option<Upstream> {
        let mut routes = self.routes.iter();
        let route = routes.find(|route| route.cluster.name == cluster)?;
        Some(self.upstream(route.cluster.clone(), route.host.clone()))
    }

    fn connections_to(&self, cluster: &str) -> Option<(Count, u32)> {
        let limit = *self.max_connections.get(cluster)?;
        let mut routes = self.routes.iter();
        let route = routes.find(|route| route.cluster.name == cluster)?;
        Some((route.count.clone(), limit))
    }

    fn profile(&self) -> Profile {
        self.process.profile
    }

    fn now(&self) -> Duration {
        self.process.clock.now()
    }

    fn wake_at(&self, connection: u64, earlier: Option<Duration>, at: Option<Duration>) {
        let wakes = &mut *self.wakes.borrow_mut();
        if let Some(earlier) = earlier {
            wakes.remove(&(earlier, connection));
        }
        wakes.extend(at.map(|at| (at, connection)));
    }
}

impl Listener for Envoy {
    fn accept(self: Rc<Self>, hello: &ClientHello) -> Option<Hop> {
        let chain = self.find_chain(hello)?;
        let (cluster, host) = self.default_upstream();
        Some(self.accept_in(chain, hello, self.upstream(cluster, host)))
    }

    fn client(&self) -> ClientHello {
        self.downstream_tls
            .as_ref()
            .map_or_else(ClientHello::default, |tls| ClientHello {
                is_tls: true,
                server_name: tls.server_name.clone(),
                alpn: tls.offered_alpn.clone(),
            })
    }

    fn needs_first_bytes(&self) -> bool {
        let mut matches = self.chains.iter().map(|chain| &chain.matching);
        matches.any(ChainMatch::needs_first_bytes)
    }
}
