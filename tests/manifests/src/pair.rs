//! Two real Envoys with the listeners and clusters of many installations: a client's sidecars in
//! one of them, the servers' in the other.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;

use mesh::bootstrap::Bootstrap;
use mesh::mesh_ca::MeshCa;
use mesh::{Envoy, EnvoyBinary, Scratch, Workload};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::golden::{Golden, Place};

/// Prefixes of the stats that Istio's proxy keeps by default: the filter's are among them.
const KEPT: [&str; 3] = ["wasm", "istio", "listener_manager"];

/// A client and a server of two installations.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name of both listeners.
    pub name: &'static str,
    /// The sidecars: the client's of one installation, the server's of the same or another.
    pub sidecars: Golden,
    /// The prefix of the filter's metrics, which tells routes apart; the one of the configuration
    /// if there is none.
    pub prefix: Option<String>,
}

/// The two running Envoys.
#[derive(Debug)]
pub struct Pair {
    client: Envoy,
    server: Envoy,
}

impl Pair {
    /// Starts the sidecars of all routes in front of an application.
    ///
    /// # Errors
    /// An Envoy refuses its configuration.
    pub fn start(
        scratch: &Scratch,
        routes: &[Route],
        [client, server]: [&Workload; 2],
        tags: &[String],
        wasm: &Path,
        application: SocketAddr,
    ) -> Result<Self> {
        let binary = EnvoyBinary::find(None)?;
        let dir = scratch.folder("pair")?;
        let ca = MeshCa::create(&dir.join("ca"))?;
        let run = |workload: &Workload,
                   is_client: bool,
                   target: &dyn Fn(&str) -> Result<SocketAddr>| {
            let identity = workload.certificate(&ca)?;
            let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
            for (number, route) in (1..).zip(routes) {
                let sidecars = &route.sidecars;
                let side = if is_client {
                    &sidecars.client
                } else {
                    &sidecars.server
                };
                let [listener, cluster] = side.for_stock_envoy(&Place {
                    name: route.name,
                    listener: SocketAddr::from((Ipv4Addr::new(127, 0, 1, number), 0)),
                    target: target(route.name)?,
                    wasm,
                    identity: &identity,
                    prefix: route.prefix.as_deref(),
                })?;
                listeners.push(listener);
                clusters.push(cluster);
            }
            let bootstrap = json!({
                "node": workload.node(),
                "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
                "stats_config": stats_config(tags),
                "static_resources": { "listeners": listeners, "clusters": clusters },
            });
            let bootstrap = Bootstrap::from(bootstrap);
            Ok::<_, Error>(Envoy::start(
                &binary,
                &workload.name,
                bootstrap.document(),
                1,
                &dir,
            )?)
        };
        let server = run(server, false, &|_| Ok(application))?;
        let client = run(client, true, &|name| Ok(server.listener(name)?))?;
        Ok(Self { client, server })
    }

    /// The client's Envoy.
    #[must_use]
    pub fn client(&self) -> &Envoy {
        &self.client
    }

    /// The server's Envoy.
    #[must_use]
    pub fn server(&self) -> &Envoy {
        &self.server
    }

    /// Opens a connection of the client application through both sidecars of a route.
    ///
    /// # Errors
    /// The sidecar does not listen.
    pub fn connect(&self, route: &str) -> Result<TcpStream> {
        connect(self.client.listener(route)?)
    }

    /// Opens a connection of a client without a sidecar.
    ///
    /// # Errors
    /// The sidecar does not listen.
    pub fn connect_directly(&self, route: &str) -> Result<TcpStream> {
        connect(self.server.listener(route)?)
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    TcpStream::connect(address).map_err(|source| Error::Read {
        path: format!("from {address}").into(),
        source,
    })
}

/// `stats_config` as the agent writes it for these tags of a pod.
fn stats_config(tags: &[String]) -> Value {
    let tags = tags
        .iter()
        .map(|tag| json!({ "tag_name": tag, "regex": format!(r"({tag}=\.=(.*?);\.;)") }));
    let kept = KEPT.map(|prefix| json!({ "prefix": prefix }));
    json!({
        "use_all_default_tags": false,
        "stats_tags": tags.collect::<Vec<_>>(),
        "stats_matcher": { "inclusion_list": { "patterns": kept } },
    })
}
