//! Clusters.

use super::reader::{ConfigError, Reader};
use super::schema;
use crate::tls::UpstreamTls;
use host_harness::UpstreamHost;
use serde_json::Value;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

/// Envoy's default `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Envoy's default `per_connection_buffer_limit_bytes`.
pub(super) const BUFFER_LIMIT: usize = 1024 * 1024;

/// An upstream cluster.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) buffer_limit: usize,
    pub(crate) tls: Option<UpstreamTls>,
    metadata: Value,
    endpoints: Vec<Endpoint>,
    turn: Cell<usize>,
}

/// One of a cluster's endpoints.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    metadata: Option<Value>,
}

impl Cluster {
    pub(super) fn load(
        cluster: schema::Cluster,
        path: &str,
        reader: &mut Reader,
    ) -> Result<Self, ConfigError> {
        let schema::DiscoveryType::Static = cluster.kind;
        let schema::LbPolicy::RoundRobin = cluster.lb_policy;
        let tls = match &cluster.transport_socket {
            Some(socket) => {
                let path = format!("{path}.transport_socket.typed_config");
                UpstreamTls::load(&socket.typed_config, &path, reader)?
            }
            None => None,
        };
        let endpoints = cluster.load_assignment.into_iter();
        let endpoints = endpoints
            .flat_map(|assignment| assignment.endpoints)
            .flat_map(|locality| locality.lb_endpoints)
            .map(|endpoint| Endpoint {
                address: endpoint.endpoint.address.get(),
                metadata: endpoint.metadata.map(|metadata| metadata.filter_metadata),
            });
        Ok(Self {
            name: cluster.name,
            connect_timeout: cluster.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            buffer_limit: cluster
                .per_connection_buffer_limit_bytes
                .unwrap_or(BUFFER_LIMIT),
            tls,
            metadata: cluster
                .metadata
                .map_or(Value::Null, |metadata| metadata.filter_metadata),
            endpoints: endpoints.collect(),
            turn: Cell::new(0),
        })
    }

    /// The endpoint whose turn it is.
    pub(crate) fn choose(&self) -> Option<&Endpoint> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        self.endpoints.get(turn.checked_rem(self.endpoints.len())?)
    }

    /// What a filter sees of it.
    pub(crate) fn attributes(&self) -> host_harness::Cluster {
        let alpn = self.tls.as_ref().map(UpstreamTls::alpn).unwrap_or_default();
        host_harness::Cluster::new(&self.name)
            .metadata(self.metadata.clone())
            .alpn(alpn)
    }
}

impl Endpoint {
    /// What a filter sees of it.
    pub(crate) fn attributes(&self) -> UpstreamHost {
        let host = UpstreamHost::new(self.address.to_string());
        match &self.metadata {
            Some(metadata) => host.metadata(metadata.clone()),
            None => host,
        }
    }
}
