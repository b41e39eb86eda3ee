//! The configuration of tcp_proxy.

use super::SidecarBuilder;
use crate::config::ConnectMode;

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

    /// Makes the endpoint refuse connections.
    #[must_use]
    pub fn refuse_upstream(mut self) -> Self {
        self.upstream_refused = true;
        self
    }
}
