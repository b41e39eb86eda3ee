//! The sidecars of ratings-v2 and mongodb-v1 on this machine: real Envoys with the configuration
//! that istiod would generate.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use mesh::EnvoyBinary;
use mesh::bootstrap::Bootstrap;
use mesh::mesh_ca::MeshCa;
use mesh::{Envoy, Scratch, Workload};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::pilot::{Sidecar, stats_config, text};

const PORT: u64 = 27017;
const INBOUND: &str = "virtualInbound";
const OUTBOUND: &str = "10.96.0.27_27017";

/// The parts of a sidecar that are not from istiod: identity, certificates, admin port, and the
/// tags of its stats.
#[derive(Debug)]
pub struct Pod<'a> {
    ca: &'a MeshCa,
    workload: Workload,
    tags: &'a [String],
}

impl<'a> Pod<'a> {
    /// The pod of a workload whose annotation has these tags.
    #[must_use]
    pub fn new(ca: &'a MeshCa, workload: Workload, tags: &'a [String]) -> Self {
        Self { ca, workload, tags }
    }

    /// Returns the bootstrap of a stock Envoy with the whole configuration of a sidecar and this
    /// module.
    ///
    /// # Errors
    /// The certificate cannot be created.
    pub fn bootstrap(&self, sidecar: &Sidecar, wasm: &Path) -> Result<Bootstrap> {
        let document = sidecar.for_stock_envoy(wasm);
        let mut bootstrap = self.complete(document.clone())?;
        // All ports are 0 here, and two listeners cannot have the same address.
        let place = "/static_resources/listeners";
        let listeners = bootstrap
            .document_mut()
            .pointer_mut(place)
            .and_then(Value::as_array_mut);
        let originals = document.pointer(place).and_then(Value::as_array);
        for (listener, original) in listeners
            .into_iter()
            .flatten()
            .zip(originals.into_iter().flatten())
        {
            if let (Some(to), Some(from)) = (listener.get_mut("address"), original.get("address")) {
                to.clone_from(from);
            }
        }
        Ok(bootstrap)
    }

    fn complete(&self, mut document: Value) -> Result<Bootstrap> {
        let fields = document.as_object_mut();
        let fields =
            fields.ok_or_else(|| Error::render("a sidecar's configuration", "is not an object"))?;
        fields.insert("node".into(), json!({}));
        let admin =
            json!({ "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } });
        fields.insert("admin".into(), admin);
        let tags = self.tags.iter().map(String::as_str);
        fields.insert("stats_config".into(), stats_config(tags));
        let mut bootstrap = Bootstrap::from(document);
        bootstrap.run_as(&self.workload, &self.workload.certificate(self.ca)?)?;
        Ok(bootstrap)
    }
}

/// The two running sidecars.
#[derive(Debug)]
pub struct Pair {
    client: Envoy,
    server: Envoy,
}

impl Pair {
    /// Starts the sidecars in front of an application. Files are in `scratch`.
    ///
    /// Connections are not redirected, as by iptables in a pod: only the listeners, their filters
    /// and the clusters of the one TCP port are kept, on loopback.
    ///
    /// # Errors
    /// An Envoy does not start.
    pub fn start(
        scratch: &Scratch,
        (client, server): (&Sidecar, &Sidecar),
        tags: &[String],
        wasm: &Path,
        application: SocketAddr,
    ) -> Result<Self> {
        let binary = EnvoyBinary::find(None)?;
        let dir = scratch.folder("pair")?;
        let ca = MeshCa::create(&dir.join("ca"))?;
        let run = |name, workload, mut document: Value, listener, target| {
            keep(&mut document, listener, target)?;
            let bootstrap = Pod::new(&ca, workload, tags).complete(document)?;
            Ok::<_, Error>(Envoy::start(&binary, name, bootstrap.document(), 1, &dir)?)
        };
        let mongodb = Workload::bookinfo("mongodb", "v1");
        let server = run(
            "mongodb",
            mongodb,
            server.for_stock_envoy(wasm),
            INBOUND,
            application,
        )?;
        let inbound = server.listener(INBOUND)?;
        let client = run(
            "ratings",
            Workload::ratings_v2(),
            client.for_stock_envoy(wasm),
            OUTBOUND,
            inbound,
        )?;
        Ok(Self { client, server })
    }

    /// The client's sidecar.
    #[must_use]
    pub fn client(&self) -> &Envoy {
        &self.client
    }

    /// The server's sidecar.
    #[must_use]
    pub fn server(&self) -> &Envoy {
        &self.server
    }

    /// Opens a connection of the client application.
    ///
    /// # Errors
    /// The sidecar does not listen.
    pub fn connect(&self) -> Result<TcpStream> {
        let address = self.client.listener(OUTBOUND)?;
        TcpStream::connect(address).map_err(|source| Error::Read {
            path: format!("from {address}").into(),
            source,
        })
    }
}

/// Keeps one listener with its chains for the port, and their cluster. Sets the host of the cluster
/// to `target`.
fn keep(document: &mut Value, name: &str, target: SocketAddr) -> Result<()> {
    let missing = |what: &str| Error::render("a sidecar's configuration", format!("has no {what}"));
    let listeners = document.pointer_mut("/static_resources/listeners");
    let listeners = listeners
        .and_then(Value::as_array_mut)
        .ok_or_else(|| missing("listeners"))?;
    listeners.retain(|listener| listener.get("name").is_some_and(|each| each == name));
    let listener = listeners
        .first_mut()
        .and_then(Value::as_object_mut)
        .ok_or_else(|| missing(name))?;
    listener.remove("bind_to_port");
    listener.insert(
        "address".into(),
        json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } }),
    );
    if let Some(filters) = listener
        .get_mut("listener_filters")
        .and_then(Value::as_array_mut)
    {
        filters.retain_mut(|filter| {
            let is_original_dst = text(filter, "/name") == "envoy.filters.listener.original_dst";
            let disabled = filter
                .as_object_mut()
                .and_then(|fields| fields.remove("filter_disabled"));
            !is_original_dst && !disabled.is_some_and(|disabled| takes(&disabled, PORT))
        });
    }
    let chains = listener
        .get_mut("filter_chains")
        .and_then(Value::as_array_mut);
    let chains = chains.ok_or_else(|| missing("filter_chains"))?;
    chains.retain_mut(|chain| {
        let matches = chain
            .get_mut("filter_chain_match")
            .and_then(Value::as_object_mut);
        let port = matches.and_then(|matches| matches.remove("destination_port"));
        port.is_none_or(|port| port == PORT)
    });
    let clusters = document.pointer_mut("/static_resources/clusters");
    let clusters = clusters
        .and_then(Value::as_array_mut)
        .ok_or_else(|| missing("clusters"))?;
    clusters.retain(|cluster| {
        let name = cluster
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        name.contains(&format!("|{PORT}|"))
    });
    let address = clusters.first_mut().and_then(|cluster| {
        cluster.pointer_mut(
            "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address",
        )
    });
    *address.ok_or_else(|| missing("endpoint"))? =
        json!({ "address": target.ip(), "port_value": target.port() });
    Ok(())
}

/// Whether the predicate of a listener filter matches a destination port.
fn takes(predicate: &Value, port: u64) -> bool {
    let edge = |name: &str| {
        let edge = predicate.pointer(&format!("/destination_port_range/{name}"));
        edge.and_then(Value::as_u64).unwrap_or_default()
    };
    let any = |name: &str| {
        let rules = predicate.pointer(&format!("/{name}/rules"));
        let mut rules = rules.and_then(Value::as_array).into_iter().flatten();
        rules.any(|rule| takes(rule, port))
    };
    match predicate.get("not_match") {
        Some(inner) => !takes(inner, port),
        None => (edge("start")..edge("end")).contains(&port) || any("or_match"),
    }
}
