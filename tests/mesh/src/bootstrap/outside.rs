//! A client sidecar's listener and cluster for a destination without a sidecar: plain TCP, and no
//! endpoint metadata.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{ENDPOINT, at, each, set_endpoint};
use crate::error::Result;

/// A destination outside the mesh.
#[derive(Clone, Debug)]
pub enum Outside {
    /// A host of a ServiceEntry in the namespace `default`.
    ServiceEntry {
        /// The host name, which is also the name of the service.
        host: String,
        /// The service's port.
        port: u16,
        /// The address of the host.
        address: SocketAddr,
    },
    /// A host that is not registered, with the outbound traffic policy `ALLOW_ANY`.
    Passthrough {
        /// The address of the host.
        address: SocketAddr,
    },
    /// Any host, with the outbound traffic policy `REGISTRY_ONLY`: a cluster without endpoints.
    BlackHole,
}

impl Outside {
    /// The name of the service, of the listener, and of Istio's special clusters.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::ServiceEntry { host, .. } => host,
            Self::Passthrough { .. } => "PassthroughCluster",
            Self::BlackHole => "BlackHoleCluster",
        }
    }

    fn cluster_name(&self) -> String {
        match self {
            Self::ServiceEntry { host, port, .. } => format!("outbound|{port}||{host}"),
            Self::Passthrough { .. } | Self::BlackHole => self.name().to_owned(),
        }
    }

    pub(super) fn listener(&self, mut listener: Value) -> Result<Value> {
        *at(&mut listener, "/name")? = json!(self.name());
        each(&mut listener, "stat_prefix", &mut |prefix| {
            *prefix = json!(self.name())
        });
        each(&mut listener, "cluster", &mut |cluster| {
            *cluster = json!(self.cluster_name())
        });
        Ok(listener)
    }

    pub(super) fn cluster(&self, mut cluster: Value) -> Result<Value> {
        let name = self.cluster_name();
        *at(&mut cluster, "/name")? = json!(name);
        *at(&mut cluster, "/load_assignment/cluster_name")? = json!(name);
        *at(&mut cluster, "/metadata/filter_metadata")? = match self {
            Self::ServiceEntry { host, .. } => {
                let service = json!({ "host": host, "name": host, "namespace": "default" });
                json!({ "istio": { "services": [service] } })
            }
            Self::Passthrough { .. } | Self::BlackHole => json!({}),
        };
        match self {
            Self::ServiceEntry { address, .. } | Self::Passthrough { address } => {
                set_endpoint(&mut cluster, *address)?;
                *at(&mut cluster, &format!("{ENDPOINT}/metadata"))? = json!({});
            }
            Self::BlackHole => *at(&mut cluster, "/load_assignment/endpoints")? = json!([]),
        }
        if let Some(cluster) = cluster.as_object_mut() {
            cluster.remove("transport_socket");
        }
        Ok(cluster)
    }
}
