//! The bootstraps of `envoy-config/` with the ports, workloads and certificates of a test, and with
//! parts removed.

mod filter;
mod inbound;
mod outside;
mod upstream;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::labels;
use crate::mesh_ca::Identity;
use crate::workload::Workload;

pub use self::inbound::Inbound;
pub use self::outside::Outside;
pub use self::upstream::Upstream;

const CLIENT: &str = include_str!("../../../envoy-config/client-sidecar.yaml");
const SERVER: &str = include_str!("../../../envoy-config/server-sidecar.yaml");

/// An Envoy bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    document: Value,
}

/// The connection between the two sidecars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hop {
    /// Mesh mTLS; the client's cluster offers the exchange's ALPN, and the server has a filter chain
    /// for it.
    #[default]
    Mesh,
    /// Mesh mTLS; the client's cluster offers no ALPN, and the server has no filter chain for the
    /// exchange's.
    MeshWithoutAlpn,
    /// No TLS; the endpoint metadata in the client sidecar has no `tlsMode`.
    Plaintext,
    /// TLS with a server outside the mesh: a host name's certificate, no client certificate, no
    /// metadata.
    Foreign,
}

impl From<Value> for Bootstrap {
    /// A bootstrap from a JSON document.
    fn from(document: Value) -> Self {
        Self { document }
    }
}

impl Bootstrap {
    /// `envoy-config/client-sidecar.yaml`.
    ///
    /// # Errors
    /// The file is not YAML.
    pub fn client_sidecar() -> Result<Self> {
        Self::parse(CLIENT)
    }

    /// `envoy-config/server-sidecar.yaml`.
    ///
    /// # Errors
    /// The file is not YAML.
    pub fn server_sidecar() -> Result<Self> {
        Self::parse(SERVER)
    }

    /// Parses a bootstrap.
    ///
    /// # Errors
    /// The text is not YAML.
    pub fn parse(yaml: &str) -> Result<Self> {
        let document = serde_saphyr::from_str(yaml)
            .map_err(|error| Error::malformed("the Envoy bootstrap", error))?;
        Ok(Self { document })
    }

    /// The document as JSON, which Envoy accepts as a bootstrap.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The document, for changes without a method of their own.
    pub fn document_mut(&mut self) -> &mut Value {
        &mut self.document
    }

    /// Sets the node and the certificate of `workload`, and port 0 for the admin address and all
    /// listeners.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn run_as(&mut self, workload: &Workload, identity: &Identity) -> Result<()> {
        self.set("/node", workload.node())?;
        self.set("/admin/address/socket_address/port_value", json!(0))?;
        for listener in self.array("/static_resources/listeners")? {
            *at(listener, "/address/socket_address/port_value")? = json!(0);
        }
        let certificates = json!([{
            "certificate_chain": { "filename": identity.chain },
            "private_key": { "filename": identity.key },
        }]);
        let root = json!({ "filename": identity.root });
        self.each("common_tls_context", &mut |context| {
            // A TLS context without a certificate belongs to a server outside the mesh, with
            // another authority.
            let Some(own) = context.get_mut("tls_certificates") else {
                return;
            };
            *own = certificates.clone();
            each(context, "trusted_ca", &mut |value| *value = root.clone());
        });
        Ok(())
    }

    /// Client sidecar: sets one listener and one cluster per upstream, copies of those for mongodb.
    /// The filters list the clusters of the mesh.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn upstreams(&mut self, upstreams: &[Upstream], foreign_root: &Path) -> Result<()> {
        let resources = at(&mut self.document, "/static_resources")?;
        let mut listener = at(resources, "/listeners/0")?.clone();
        let cluster = at(resources, "/clusters/0")?.clone();
        let listed: Vec<_> = upstreams.iter().filter_map(Upstream::exchanging).collect();
        filter::list_clusters(&mut listener, &listed);
        let listeners = upstreams
            .iter()
            .map(|upstream| upstream.listener(listener.clone()));
        let clusters = upstreams
            .iter()
            .map(|upstream| upstream.cluster(cluster.clone(), foreign_root));
        *at(resources, "/listeners")? = listeners.collect::<Result<_>>()?;
        *at(resources, "/clusters")? = clusters.collect::<Result<_>>()?;
        Ok(())
    }

    /// Client sidecar: adds a listener and a cluster per destination outside the mesh.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn outside(&mut self, outside: &[Outside]) -> Result<()> {
        let mut template = Self::client_sidecar()?;
        let listener = match self.array("/static_resources/listeners")?.first() {
            // With the same clusters in the filter's configuration.
            Some(own) => own.clone(),
            None => at(&mut template.document, "/static_resources/listeners/0")?.take(),
        };
        let cluster = at(&mut template.document, "/static_resources/clusters/0")?.take();
        for each in outside {
            self.array("/static_resources/listeners")?
                .push(each.listener(listener.clone())?);
            self.array("/static_resources/clusters")?
                .push(each.cluster(cluster.clone())?);
        }
        Ok(())
    }

    /// Adds the listeners and clusters of another sidecar. A client's and a server's together form
    /// a sidecar with both directions, as in Istio.
    ///
    /// # Errors
    /// A document lacks a part.
    pub fn absorb(&mut self, mut other: Self) -> Result<()> {
        for part in ["/static_resources/listeners", "/static_resources/clusters"] {
            let parts = std::mem::take(other.array(part)?);
            self.array(part)?.extend(parts);
        }
        Ok(())
    }

    /// Server sidecar: sets the service.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn serve(&mut self, inbound: &Inbound<'_>) -> Result<()> {
        inbound.cluster(at(&mut self.document, "/static_resources/clusters/0")?)?;
        inbound.listener(at(&mut self.document, "/static_resources/listeners/0")?)
    }

    fn set(&mut self, pointer: &str, value: Value) -> Result<()> {
        *at(&mut self.document, pointer)? = value;
        Ok(())
    }

    fn array(&mut self, pointer: &str) -> Result<&mut Vec<Value>> {
        at(&mut self.document, pointer)?
            .as_array_mut()
            .ok_or_else(|| missing(pointer))
    }

    /// Calls `change` with the value of every member named `key`, at any depth.
    fn each(&mut self, key: &str, change: &mut dyn FnMut(&mut Value)) {
        each(&mut self.document, key, change);
    }
}

const ENDPOINT: &str = "/load_assignment/endpoints/0/lb_endpoints/0";

fn set_endpoint(cluster: &mut Value, address: SocketAddr) -> Result<()> {
    *at(
        cluster,
        &format!("{ENDPOINT}/endpoint/address/socket_address"),
    )? = json!({ "address": address.ip(), "port_value": address.port() });
    Ok(())
}

fn services(name: &str, namespace: &str) -> Value {
    let host = labels::host(name, namespace);
    json!([{ "host": host, "name": name, "namespace": namespace }])
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    value.pointer_mut(pointer).ok_or_else(|| missing(pointer))
}

fn missing(path: &str) -> Error {
    Error::Missing {
        owner: "the Envoy bootstrap",
        part: path.to_owned(),
    }
}

fn each(value: &mut Value, key: &str, change: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == key {
                    change(member);
                }
                each(member, key, change);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, key, change)),
        _ => {}
    }
}
