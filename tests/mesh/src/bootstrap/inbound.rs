//! A server sidecar's listener and cluster.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Hop, at, each, missing, services, set_endpoint};
use crate::error::Result;
use crate::workload::Workload;

/// The filters of the chain that is not matched on the exchange's ALPN: in mode `auto`.
const WITHOUT_ALPN: &str = "/filter_chains/1/filters";

/// A service in the configuration of its own sidecar.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// The workload. The name of the service is the workload's app.
    pub workload: &'a Workload,
    /// The service's port.
    pub port: u16,
    /// The address of the application.
    pub application: SocketAddr,
    /// The connection between the client's sidecar and this one.
    pub hop: Hop,
}

impl Inbound<'_> {
    fn cluster_name(&self) -> String {
        format!("inbound|{}||", self.port)
    }

    pub(super) fn cluster(&self, cluster: &mut Value) -> Result<()> {
        let name = self.cluster_name();
        *at(cluster, "/name")? = json!(name);
        *at(cluster, "/load_assignment/cluster_name")? = json!(name);
        *at(cluster, "/metadata/filter_metadata/istio/services")? =
            services(&self.workload.app, &self.workload.namespace);
        set_endpoint(cluster, self.application)
    }

    pub(super) fn listener(&self, listener: &mut Value) -> Result<()> {
        each(listener, "cluster", &mut |cluster| {
            *cluster = json!(self.cluster_name())
        });
        match self.hop {
            Hop::Mesh => Ok(()),
            Hop::MeshWithoutAlpn => {
                let path = "/filter_chains";
                let chains = at(listener, path)?
                    .as_array_mut()
                    .ok_or_else(|| missing(path))?;
                chains.retain(|chain| !is_exchange_chain(chain));
                Ok(())
            }
            Hop::Plaintext => {
                let filters = at(listener, WITHOUT_ALPN)?.take();
                only_chain(listener, json!({ "filters": filters }))
            }
            Hop::Foreign => {
                let filters = at(listener, WITHOUT_ALPN)?.take();
                let mut socket = at(listener, "/filter_chains/0/transport_socket")?.take();
                let tls = at(&mut socket, "/typed_config")?;
                *at(tls, "/require_client_certificate")? = json!(false);
                let certificates = at(tls, "/common_tls_context/tls_certificates")?.take();
                *at(tls, "/common_tls_context")? = json!({ "tls_certificates": certificates });
                only_chain(
                    listener,
                    json!({ "filters": filters, "transport_socket": socket }),
                )
            }
        }
    }
}

/// Replaces all filter chains by one for every connection, and removes the listener filters.
fn only_chain(listener: &mut Value, chain: Value) -> Result<()> {
    *at(listener, "/filter_chains")? = json!([chain]);
    *at(listener, "/listener_filters")? = json!([]);
    Ok(())
}

fn is_exchange_chain(chain: &Value) -> bool {
    chain
        .pointer("/filter_chain_match/application_protocols")
        .is_some()
}
