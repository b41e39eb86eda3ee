//! The configuration of the filter chains of the listener.

use super::SidecarBuilder;
use crate::chain::{EnvoyFilter, TransportProtocol};
use crate::sidecar::spec::{ChainSpec, ElementSpec};

impl SidecarBuilder {
    /// Begins another filter chain, without filters. Later calls that set the match, the name, or
    /// filters apply to it.
    ///
    /// A listener chooses the chain of a connection as Envoy does: by server name, then transport
    /// protocol, then ALPN, the most specific value first. With a condition in any chain, it waits
    /// for the first bytes of a connection without TLS, as Envoy's `tls_inspector` does.
    ///
    /// ```
    /// # use host_harness::{Module, Sidecar, SidecarBuilder};
    /// fn by_server_name(module: &Module, other: &Module) -> SidecarBuilder {
    ///     Sidecar::inbound(module)
    ///         .server_names(["a.example"])
    ///         .filter_chain()
    ///         .filter(other)
    /// }
    /// ```
    #[must_use]
    pub fn filter_chain(mut self) -> Self {
        self.chains.push(ChainSpec::default());
        self
    }

    /// Sets the name of the filter chain. Empty by default.
    #[must_use]
    pub fn filter_chain_name(self, name: impl Into<String>) -> Self {
        self.last_chain(|chain| chain.name = name.into())
    }

    /// Restricts the filter chain to connections that offer one of these ALPN protocols
    /// (`filter_chain_match.application_protocols`): in a [`Rig`](crate::Rig) what the outbound proxy
    /// offers, otherwise [`Tls::offered_alpn`](crate::Tls::offered_alpn). A connection without a
    /// chain is closed. None by default, which matches all connections.
    #[must_use]
    pub fn application_protocols<S: Into<String>>(
        self,
        protocols: impl IntoIterator<Item = S>,
    ) -> Self {
        let protocols = protocols.into_iter().map(Into::into).collect();
        self.last_chain(|chain| chain.matching.application_protocols = protocols)
    }

    /// Restricts the filter chain to connections that request one of these server names
    /// (`filter_chain_match.server_names`), `*.` in front for all names below. None by default.
    #[must_use]
    pub fn server_names<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.last_chain(|chain| chain.matching.server_names = names)
    }

    /// Restricts the filter chain to connections with or without TLS
    /// (`filter_chain_match.transport_protocol`).
    #[must_use]
    pub fn transport_protocol(self, protocol: TransportProtocol) -> Self {
        self.last_chain(|chain| chain.matching.transport_protocol = Some(protocol))
    }

    /// Sets the cluster of the chain's tcp_proxy, one of [`Self::other_cluster`]. By default that of
    /// [`Self::cluster`]. With another name [`Self::start`] fails.
    #[must_use]
    pub fn chain_cluster(self, name: impl Into<String>) -> Self {
        self.last_chain(|chain| chain.cluster = Some(name.into()))
    }

    /// Appends one of Envoy's own filters to the chain.
    #[must_use]
    pub fn envoy_filter(self, filter: EnvoyFilter) -> Self {
        self.last_chain(|chain| chain.elements.push(ElementSpec::Own(filter)))
    }

    /// Changes the chain that was added last.
    pub(super) fn last_chain(mut self, change: impl FnOnce(&mut ChainSpec)) -> Self {
        self.chains.last_mut().map(change);
        self
    }
}
