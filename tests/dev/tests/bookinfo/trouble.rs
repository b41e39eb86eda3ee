//! A small mesh in which everything goes wrong that dashboard and alerts are there for.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::testing::Result;
use mesh::{Envoy, Scratch, Workload, wasm};
use mesh::{Filter, Hop, Mesh, Service};
use serde_json::{Value, json};

/// Nobody who is well is in it.
pub(crate) const NAMESPACE: &str = "trouble";

/// Magic, a length of four bytes, and four bytes that are no message.
const GARBLED_FRAME: &[u8] = b"\x3d\x23\x04\x67\x00\x00\x00\x04\xff\xff\xff\xff";

/// Far longer than any answer takes: without it a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// The mesh: one caller, and a service for each kind of trouble.
pub(crate) struct Trouble {
    mesh: Mesh,
    _apps: [App; 3],
}

impl Trouble {
    pub(crate) fn start(scratch: &Scratch) -> Result<Self> {
        let echo = App::start(apps::echo)?;
        let length = App::start(apps::length)?;
        let garbling = App::start(|mut stream: &TcpStream| {
            let _first = stream.read(&mut [0; 1024])?;
            stream.write_all(GARBLED_FRAME)
        })?;
        let service = |app, address: SocketAddr| Service::new(workload(app), 7000, address);
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
            // It tells another namespace than its certificate has.
            .client(workload("caller"))
            .edit_client(from_elsewhere)
            // No TLS, between two sidecars.
            .service(service("plain", echo.address()).hop(Hop::Plaintext))
            // The control plane says that it has the exchange, and it has not.
            .service(
                service("silent", length.address())
                    .hop(Hop::MeshWithoutAlpn)
                    .filter(Filter::Absent),
            )
            .service(service("garbling", garbling.address()).filter(Filter::Absent))
            // Every connection would be a series of its own.
            .service(
                service("crowded", echo.address()).filter(Filter::Configured(json!({
                    "tcp_reporting_duration": "500ms",
                    "limits": { "max_series": 1 },
                    "metrics": [{ "dimensions": { "source_app": "string(connection.id)" } }],
                }))),
            )
            // Its sidecar is up, its application is not.
            .service(service("down", echo.address()).edit(without_application))
            .start(scratch)?;
        Ok(Self {
            mesh,
            _apps: [echo, length, garbling],
        })
    }

    pub(crate) fn sidecars(&self) -> impl Iterator<Item = &Envoy> {
        self.mesh.sidecars()
    }

    /// A connection to each service. What comes of it is for the metrics to tell.
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

/// Port 1 is nobody's.
fn without_application(bootstrap: &mut Value) {
    let endpoint = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0";
    let port = format!("{endpoint}/endpoint/address/socket_address/port_value");
    set(bootstrap, &port, json!(1));
}

/// Without that place there is no trouble, and a panel without data.
fn set(bootstrap: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = bootstrap.pointer_mut(pointer) {
        *place = value;
    }
}
