//! A small mesh with every fault that the dashboard and the alerts show.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::testing::Result;
use mesh::{Envoy, Scratch, Workload, wasm};
use mesh::{Filter, Hop, Mesh, Service};
use serde_json::{Value, json};

/// The namespace, in which every workload has a fault.
pub(crate) const NAMESPACE: &str = "trouble";

/// A frame with a valid header and four bytes that are no protobuf message.
const GARBLED_FRAME: &[u8] = b"\x3d\x23\x04\x67\x00\x00\x00\x04\xff\xff\xff\xff";

/// A frame without metadata.
const EMPTY_FRAME: &[u8] = b"\x3d\x23\x04\x67\x00\x00\x00\x00";

/// A limit that no answer reaches. Without it, a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// The mesh: one caller, and a service for each fault.
pub(crate) struct Trouble {
    mesh: Mesh,
    _apps: [App; 4],
}

impl Trouble {
    pub(crate) fn start(scratch: &Scratch) -> Result<Self> {
        let echo = App::start(apps::echo)?;
        let length = App::start(apps::length)?;
        let garbling = App::start(|mut stream: &TcpStream| {
            let _first = stream.read(&mut [0; 1024])?;
            stream.write_all(GARBLED_FRAME)
        })?;
        // It loses its exchange filter after every connection, and gets it back after the next.
        let connections = AtomicU32::new(0);
        let forgetting = App::start(move |mut stream: &TcpStream| {
            if connections
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(2)
            {
                stream.write_all(EMPTY_FRAME)?;
            }
            apps::length(stream)
        })?;
        let service = |app, address: SocketAddr| Service::new(workload(app), 7000, address);
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
            // Its metadata has another namespace than its certificate.
            .client(workload("caller"))
            .edit_client(from_elsewhere)
            // It writes to the other servers once it has read their frame.
            .client_filter(Filter::Configured(json!({
                "tcp_reporting_duration": "500ms",
                "peer_exchange": { "clusters": [
                    format!("outbound|7000||crowded.{NAMESPACE}.svc.cluster.local"),
                    format!("outbound|7000||down.{NAMESPACE}.svc.cluster.local"),
                ] },
            })))
            // No TLS, between two sidecars.
            .service(service("plain", echo.address()).hop(Hop::Plaintext))
            .service(
                service("forgetting", forgetting.address())
                    .hop(Hop::MeshWithoutAlpn)
                    .filter(Filter::Absent),
            )
            // The server does not have the exchange.
            .service(
                service("silent", length.address())
                    .hop(Hop::MeshWithoutAlpn)
                    .filter(Filter::Absent),
            )
            .service(service("garbling", garbling.address()).filter(Filter::Absent))
            // Without the limit, every connection would have its own series.
            .service(
                service("crowded", echo.address()).filter(Filter::Configured(json!({
                    "tcp_reporting_duration": "500ms",
                    "limits": { "max_series": 1 },
                    "metrics": [{ "dimensions": { "source_app": "string(connection.id)" } }],
                }))),
            )
            // Its sidecar runs, its application does not.
            .service(service("down", echo.address()).edit(without_application))
            .start(scratch)?;
        Ok(Self {
            mesh,
            _apps: [echo, length, garbling, forgetting],
        })
    }

    pub(crate) fn sidecars(&self) -> impl Iterator<Item = &Envoy> {
        self.mesh.sidecars()
    }

    /// Opens a connection to each service. The metrics show the results.
    pub(crate) fn stir(&self) -> Result {
        for service in self.mesh.services() {
            let _trouble = call(self.mesh.address(service)?);
        }
        Ok(())
    }
}

fn call(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"payload")?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

fn workload(app: &str) -> Workload {
    Workload {
        namespace: NAMESPACE.to_owned(),
        ..Workload::bookinfo(app, "v1")
    }
}

fn from_elsewhere(bootstrap: &mut Value) {
    set(bootstrap, "/node/metadata/NAMESPACE", json!("elsewhere"));
}

/// No process listens on port 1.
fn without_application(bootstrap: &mut Value) {
    let endpoint = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0";
    let port = format!("{endpoint}/endpoint/address/socket_address/port_value");
    set(bootstrap, &port, json!(1));
}

/// If the place is missing, the fault is missing, and a panel has no data.
fn set(bootstrap: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = bootstrap.pointer_mut(pointer) {
        *place = value;
    }
}
