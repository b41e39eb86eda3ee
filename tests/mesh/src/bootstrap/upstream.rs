//! A client sidecar's listener and cluster for one service.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::{ENDPOINT, Hop, at, each, services, set_endpoint};
use crate::error::Result;
use crate::labels;
use crate::workload::Workload;

/// A service in the configuration of a client's sidecar.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The workload of the service. The name of the service is the workload's app.
    pub workload: Workload,
    /// The service's port.
    pub port: u16,
    /// The address of the workload's sidecar.
    pub address: SocketAddr,
    /// The connection to the workload's sidecar.
    pub hop: Hop,
}

impl Upstream {
    fn cluster_name(&self) -> String {
        format!("outbound|{}||{}", self.port, self.host())
    }

    /// The name of the cluster, if its hosts have the exchange.
    pub(super) fn exchanging(&self) -> Option<String> {
        matches!(self.hop, Hop::Mesh | Hop::MeshWithoutAlpn).then(|| self.cluster_name())
    }

    fn host(&self) -> String {
        labels::host(&self.workload.app, &self.workload.namespace)
    }

    pub(super) fn listener(&self, mut listener: Value) -> Result<Value> {
        *at(&mut listener, "/name")? = json!(self.workload.app);
        each(&mut listener, "stat_prefix", &mut |prefix| {
            *prefix = json!(self.workload.app)
        });
        each(&mut listener, "cluster", &mut |cluster| {
            *cluster = json!(self.cluster_name())
        });
        Ok(listener)
    }

    pub(super) fn cluster(&self, mut cluster: Value, foreign_root: &Path) -> Result<Value> {
        let name = self.cluster_name();
        *at(&mut cluster, "/name")? = json!(name);
        *at(&mut cluster, "/load_assignment/cluster_name")? = json!(name);
        *at(&mut cluster, "/metadata/filter_metadata/istio/services")? =
            services(&self.workload.app, &self.workload.namespace);
        set_endpoint(&mut cluster, self.address)?;
        let tls = at(&mut cluster, "/transport_socket/typed_config")?;
        *at(tls, "/sni")? = json!(match self.hop {
            Hop::Foreign => self.host(),
            _ => format!("outbound_.{}_._.{}", self.port, self.host()),
        });
        if self.hop == Hop::MeshWithoutAlpn
            && let Some(context) = at(tls, "/common_tls_context")?.as_object_mut()
        {
            context.remove("alpn_protocols");
        }
        each(tls, "exact", &mut |name| {
            *name = json!(self.workload.principal())
        });
        let metadata = match self.hop {
            Hop::Mesh | Hop::MeshWithoutAlpn => json!({
                "istio": { "workload": self.workload.endpoint_metadata() },
                "envoy.transport_socket_match": { "tlsMode": "istio" },
            }),
            Hop::Plaintext => json!({ "istio": { "workload": self.workload.endpoint_metadata() } }),
            Hop::Foreign => json!({}),
        };
        if self.hop == Hop::Foreign {
            *at(tls, "/common_tls_context")? =
                json!({ "validation_context": { "trusted_ca": { "filename": foreign_root } } });
        }
        *at(
            &mut cluster,
            &format!("{ENDPOINT}/metadata/filter_metadata"),
        )? = metadata;
        if self.hop == Hop::Plaintext
            && let Some(cluster) = cluster.as_object_mut()
        {
            cluster.remove("transport_socket");
        }
        Ok(cluster)
    }
}
