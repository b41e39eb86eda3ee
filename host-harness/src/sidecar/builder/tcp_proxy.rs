//! The configuration of tcp_proxy.

use std::time::Duration;

use super::SidecarBuilder;
use crate::config::ConnectMode;
use crate::property::{Cluster, UpstreamHost};

impl SidecarBuilder {
    /// Sets the event after which tcp_proxy connects upstream (`upstream_connect_mode`). Until then
    /// there is no `xds.cluster_name` and no `upstream.address`.
    ///
    /// ```
    /// # use host_harness::{ConnectMode, SidecarBuilder};
    /// fn lazy(sidecar: SidecarBuilder) -> SidecarBuilder {
    ///     sidecar.upstream_connect_mode(ConnectMode::OnDownstreamData)
    /// }
    /// ```
    #[must_use]
    pub fn upstream_connect_mode(mut self, mode: ConnectMode) -> Self {
        self.connect_mode = mode;
        self
    }

    /// Sets the number of bytes with which tcp_proxy stops reading before it has an upstream
    /// connection (`max_early_data_bytes`), 8192 by default. It has no effect in the mode
    /// [`ConnectMode::Immediate`].
    #[must_use]
    pub fn max_early_data_bytes(mut self, bytes: usize) -> Self {
        self.max_early_data_bytes = bytes;
        self
    }

    /// Sets the time without bytes after which tcp_proxy closes a connection (`idle_timeout`), an
    /// hour by default. `None` or zero: never, as in Envoy.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout.filter(|timeout| !timeout.is_zero());
        self
    }

    /// Sets the length of a read buffer, in bytes, above which a connection is not read
    /// (`per_connection_buffer_limit_bytes` of listener and clusters), 1 MiB by default. 0 for none.
    ///
    /// A read buffer has only what a filter that returns Pause keeps in it: tcp_proxy takes
    /// everything.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.buffer_limit = bytes;
        self
    }

    /// Adds a cluster that a chain ([`Self::chain_cluster`]) or a filter can choose, by the filter
    /// state `envoy.tcp_proxy.cluster`. In a [`Rig`](crate::Rig) it leads to the same proxy.
    #[must_use]
    pub fn other_cluster(mut self, cluster: Cluster, host: UpstreamHost) -> Self {
        self.clusters.push((cluster, host));
        self
    }

    /// Sets the highest number of connections to the cluster with this name
    /// (`circuit_breakers`). No limit by default; Envoy's default is 1024.
    #[must_use]
    pub fn max_connections(mut self, cluster: impl Into<String>, connections: u32) -> Self {
        self.max_connections.insert(cluster.into(), connections);
        self
    }

    /// Makes the endpoint refuse connections.
    #[must_use]
    pub fn refuse_upstream(mut self) -> Self {
        self.upstream_refused = true;
        self
    }
}
