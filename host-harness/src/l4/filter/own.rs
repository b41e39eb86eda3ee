//! One of Envoy's own filters in one connection.

use std::cell::Cell;
use std::rc::Rc;

use crate::chain::EnvoyFilter;
use crate::stream_info::StreamInfo;

/// The filter state object that chooses the cluster of tcp_proxy.
pub(crate) const CLUSTER_KEY: &str = "envoy.tcp_proxy.cluster";

/// A number of connections. Clones count the same connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(Rc<Cell<u32>>);

/// One of Envoy's own filters in one connection.
pub(in crate::l4) struct OwnFilter {
    filter: EnvoyFilter,
    /// The connections that the filter has in all, for `connection_limit`.
    count: Count,
    is_counted: bool,
    is_initialized: bool,
    /// The decision of `rbac`, made once at the first bytes.
    is_permitted: Option<bool>,
}

impl Count {
    /// Adds a connection unless there are as many as the limit.
    pub(crate) fn add_below(&self, limit: u32) -> bool {
        let is_below = self.0.get() < limit;
        self.0.set(self.0.get() + u32::from(is_below));
        is_below
    }

    /// Removes a connection.
    pub(crate) fn remove(&self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl OwnFilter {
    pub(super) fn new(filter: EnvoyFilter, count: Count) -> Self {
        Self {
            filter,
            count,
            is_counted: false,
            is_initialized: false,
            is_permitted: None,
        }
    }

    /// Handles the new connection when the iteration first reaches the filter. Returns whether the
    /// connection stays open.
    pub(in crate::l4) fn open(&mut self, info: &mut StreamInfo) -> bool {
        if std::mem::replace(&mut self.is_initialized, true) {
            return true;
        }
        match &self.filter {
            EnvoyFilter::Rbac(_) => true,
            EnvoyFilter::SniCluster {} => {
                let name = info.server_name().to_owned();
                if !name.is_empty() {
                    info.filter_state.set_string(CLUSTER_KEY.to_owned(), name);
                }
                true
            }
            EnvoyFilter::SetFilterState(objects) => {
                for (key, value) in objects {
                    info.filter_state.set_string(key.clone(), value.clone());
                }
                true
            }
            EnvoyFilter::ConnectionLimit { max_connections } => {
                self.is_counted = self.count.add_below(*max_connections);
                self.is_counted
            }
        }
    }

    /// Handles bytes or the end of the client. Returns whether the connection stays open.
    pub(in crate::l4) fn data(&mut self, info: &StreamInfo) -> bool {
        let EnvoyFilter::Rbac(rbac) = &self.filter else {
            return true;
        };
        *self.is_permitted.get_or_insert_with(|| {
            let peer = match &info.downstream_tls {
                Some(tls) if info.handshake_done => tls.peer_sans.as_slice(),
                _ => &[],
            };
            rbac.permits(peer, info.server_name())
        })
    }

    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            self.count.remove();
        }
    }
}
