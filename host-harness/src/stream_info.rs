//! Envoy's `StreamInfo`: the facts about a connection that attributes are read from.

use std::time::Duration;

use crate::property::{Cluster, FilterState, UpstreamHost};
use crate::tls::Tls;

/// The properties of a downstream connection at the time of its accept.
#[derive(Debug, Clone, Default)]
pub struct Downstream {
    /// The `ip:port` of the peer.
    pub source: String,
    /// The `ip:port` that the peer connected to.
    pub destination: String,
    /// The name of the filter chain.
    pub filter_chain_name: String,
    /// TLS properties that are known before the handshake: local certificate and server name.
    pub tls: Option<Tls>,
}

/// The upstream that tcp_proxy chose.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) cluster: Cluster,
    /// `None` if tcp_proxy does not choose one, because the cluster has too many connections, or if the
    /// connection ended before there was an upstream connection.
    pub(crate) host: Option<UpstreamHost>,
    /// The upstream handshake is complete before the first downstream data is delivered.
    pub(crate) tls: Option<Tls>,
    /// The filter state of the upstream connection.
    pub(crate) filter_state: FilterState,
}

/// Envoy's `StreamInfo`, as far as a network filter can read it.
#[derive(Debug, Clone)]
pub(crate) struct StreamInfo {
    pub(crate) connection_id: u64,
    /// The time of the accept, since the Unix epoch.
    pub(crate) accepted: Duration,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) filter_chain_name: String,
    pub(crate) downstream_tls: Option<Tls>,
    pub(crate) handshake_done: bool,
    /// `None` until tcp_proxy has chosen the upstream.
    pub(crate) upstream: Option<Upstream>,
    /// How often tcp_proxy has begun to connect.
    pub(crate) attempts: u64,
    pub(crate) response_flags: i64,
    pub(crate) upstream_failure: Option<String>,
    pub(crate) filter_state: FilterState,
}

impl StreamInfo {
    /// The information at the time of the accept.
    pub(crate) fn new(connection_id: u64, downstream: Downstream, state: FilterState) -> Self {
        Self {
            connection_id,
            accepted: Duration::ZERO,
            source: downstream.source,
            destination: downstream.destination,
            filter_chain_name: downstream.filter_chain_name,
            downstream_tls: downstream.tls,
            handshake_done: false,
            upstream: None,
            attempts: 0,
            response_flags: 0,
            upstream_failure: None,
            filter_state: state,
        }
    }

    /// The server name that the client requested (SNI); empty for none.
    pub(crate) fn server_name(&self) -> &str {
        self.downstream_tls
            .as_ref()
            .map_or("", |tls| &tls.server_name)
    }
}
