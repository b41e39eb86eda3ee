//! The bootstraps of `envoy-config/`, adapted to a run: other ports, workloads and certificates, and parts left out.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::mesh_ca::Identity;
use crate::workload::Workload;

const CLIENT: &str = include_str!("../../envoy-config/client-sidecar.yaml");
const SERVER: &str = include_str!("../../envoy-config/server-sidecar.yaml");

/// An Envoy bootstrap.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    document: Value,
}

/// A service as a client's sidecar sees it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The workload behind it; the service is named like its app.
    pub workload: Workload,
    /// The service's port.
    pub port: u16,
    /// Where the workload's sidecar listens.
    pub address: SocketAddr,
    /// How to talk to it.
    pub hop: Hop,
}

/// What is between the two sidecars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hop {
    /// Mesh mTLS; the server has a filter chain for peers with the exchange's ALPN.
    #[default]
    Mesh,
    /// Mesh mTLS; the server knows nothing of the exchange's ALPN.
    MeshWithoutAlpn,
    /// No TLS, and the client's control plane says so.
    Plaintext,
    /// TLS with a server outside the mesh: a host name's certificate, no client certificate, no metadata.
    Foreign,
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

    /// The document as JSON, which Envoy reads too.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The document, for what has no function of its own.
    pub fn document_mut(&mut self) -> &mut Value {
        &mut self.document
    }

    /// Makes it the sidecar of `workload`, with its certificate, on ports that the system picks.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn run_as(&mut self, workload: &Workload, identity: &Identity) -> Result<()> {
        self.set("/node", workload.node())?;
        self.set("/admin/address/socket_address/port_value", json!(0))?;
        for listener in self.array("/static_resources/listeners")? {
            *at(listener, "/address/socket_address/port_value")? = json!(0);
        }
        self.each("tls_certificates", &mut |value| {
            *value = json!([{
                "certificate_chain": { "filename": identity.chain },
                "private_key": { "filename": identity.key },
            }]);
        });
        let root = json!({ "filename": identity.root });
        self.each("trusted_ca", &mut |value| *value = root.clone());
        Ok(())
    }

    /// Makes every filter load `wasm` with `configuration`; without a configuration, takes the filters out.
    pub fn filter(&mut self, wasm: &Path, configuration: Option<&Value>) {
        self.each("filters", &mut |filters| {
            let Some(filters) = filters.as_array_mut() else {
                return;
            };
            if configuration.is_none() {
                filters.retain(|filter| !is_wasm(filter));
            }
        });
        let Some(configuration) = configuration.map(Value::to_string) else {
            return;
        };
        self.each("local", &mut |local| *local = json!({ "filename": wasm }));
        self.each("configuration", &mut |value| {
            if let Some(value) = value.get_mut("value") {
                *value = json!(configuration);
            }
        });
    }

    /// A client sidecar: one listener and one cluster per upstream, made like those for mongodb.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn upstreams(&mut self, upstreams: &[Upstream], foreign_root: &Path) -> Result<()> {
        let resources = at(&mut self.document, "/static_resources")?;
        let listener = at(resources, "/listeners/0")?.clone();
        let cluster = at(resources, "/clusters/0")?.clone();
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

    /// A server sidecar: the service that it stands for, where the application listens, and who may come in how.
    ///
    /// # Errors
    /// The document lacks a part.
    pub fn serve(
        &mut self,
        service: &str,
        namespace: &str,
        port: u16,
        application: SocketAddr,
        hop: &Hop,
    ) -> Result<()> {
        let name = format!("inbound|{port}||");
        let cluster = at(&mut self.document, "/static_resources/clusters/0")?;
        *at(cluster, "/name")? = json!(name);
        *at(cluster, "/metadata/filter_metadata/istio/services")? = services(service, namespace);
        set_endpoint(cluster, application)?;
        self.each("cluster", &mut |cluster| {
            if cluster.is_string() {
                *cluster = json!(name);
            }
        });

        let listener = at(&mut self.document, "/static_resources/listeners/0")?;
        let chains = at(listener, "/filter_chains")?
            .as_array_mut()
            .ok_or_else(|| missing("/static_resources/listeners/0/filter_chains"))?;
        match hop {
            Hop::Mesh => return Ok(()),
            Hop::MeshWithoutAlpn => chains.retain(|chain| !is_exchange_chain(chain)),
            Hop::Plaintext | Hop::Foreign => chains.truncate(1),
        }
        for chain in chains.iter_mut().filter_map(Value::as_object_mut) {
            if *hop != Hop::MeshWithoutAlpn {
                chain.remove("filter_chain_match");
            }
            if *hop == Hop::Plaintext {
                chain.remove("transport_socket");
            }
        }
        if *hop == Hop::Foreign {
            let tls = at(listener, "/filter_chains/0/transport_socket/typed_config")?;
            *at(tls, "/require_client_certificate")? = json!(false);
            let common = at(tls, "/common_tls_context")?;
            *common = json!({ "tls_certificates": common.get("tls_certificates") });
        }
        if *hop == Hop::Plaintext {
            *at(listener, "/listener_filters")? = json!([]);
        }
        Ok(())
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

impl Upstream {
    fn cluster_name(&self) -> String {
        format!("outbound|{}||{}", self.port, self.host())
    }

    fn host(&self) -> String {
        crate::labels::host(&self.workload.app, &self.workload.namespace)
    }

    fn listener(&self, mut listener: Value) -> Result<Value> {
        *at(&mut listener, "/name")? = json!(self.workload.app);
        each(&mut listener, "stat_prefix", &mut |prefix| {
            *prefix = json!(self.workload.app)
        });
        each(&mut listener, "cluster", &mut |cluster| {
            *cluster = json!(self.cluster_name())
        });
        Ok(listener)
    }

    fn cluster(&self, mut cluster: Value, foreign_root: &Path) -> Result<Value> {
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

const ENDPOINT: &str = "/load_assignment/endpoints/0/lb_endpoints/0";

fn set_endpoint(cluster: &mut Value, address: SocketAddr) -> Result<()> {
    *at(
        cluster,
        &format!("{ENDPOINT}/endpoint/address/socket_address"),
    )? = json!({ "address": address.ip(), "port_value": address.port() });
    Ok(())
}

fn services(name: &str, namespace: &str) -> Value {
    let host = crate::labels::host(name, namespace);
    json!([{ "host": host, "name": name, "namespace": namespace }])
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    value.pointer_mut(pointer).ok_or_else(|| missing(pointer))
}

fn missing(path: &str) -> Error {
    Error::Bootstrap {
        path: path.to_owned(),
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

fn is_wasm(filter: &Value) -> bool {
    let kind = filter
        .pointer("/typed_config/@type")
        .and_then(Value::as_str);
    kind.is_some_and(|kind| kind.ends_with(".wasm.v3.Wasm"))
}

fn is_exchange_chain(chain: &Value) -> bool {
    chain
        .pointer("/filter_chain_match/application_protocols")
        .is_some()
}
