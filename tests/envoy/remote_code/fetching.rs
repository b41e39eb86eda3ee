//! An Envoy whose filter comes from an HTTP server.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use mesh::Counts;
use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::envoy::Envoy;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Scratch, wasm};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::server::{Habit, Server};
use crate::fixture::round_trip;
use crate::reload::{self, EPHEMERAL, LISTENER};

/// Envoy's default.
const FLUSH: Duration = Duration::from_secs(5);
/// What each connection carries, both ways.
pub(super) const PAYLOAD: &[u8] = b"payload";

/// What an Envoy is to be started with.
pub(super) struct Plan {
    pub(super) server: Server,
    pub(super) sha256: String,
    app: App,
    listeners: PathBuf,
    scratch: Scratch,
}

impl Plan {
    pub(super) fn new(habit: Habit) -> Result<Self> {
        let scratch = Scratch::new("remote-code")?;
        let module = fs::read(wasm::build()?)?;
        Ok(Self {
            sha256: hex::encode(Sha256::digest(&module)),
            server: Server::start(module, habit)?,
            app: App::start(apps::echo)?,
            listeners: scratch.folder("envoy")?.join("listeners.json"),
            scratch,
        })
    }

    /// A code source with this digest, and how long each request may take.
    pub(super) fn remote(sha256: &str, timeout: &str) -> Value {
        json!({ "remote": {
            "sha256": sha256,
            "http_uri": { "uri": "http://code/filter.wasm", "cluster": "code", "timeout": timeout },
        } })
    }

    pub(super) fn right(&self) -> Value {
        Self::remote(&self.sha256, "60s")
    }

    pub(super) fn start(&self, at: SocketAddr, policy: &str, code: &Value) -> Result<Fetching<'_>> {
        self.write(0, at, policy, code)?;
        let mut bootstrap = reload::bootstrap(&self.listeners, self.app.address(), FLUSH)?;
        let clusters = bootstrap
            .document_mut()
            .pointer_mut("/static_resources/clusters");
        let clusters = clusters.and_then(Value::as_array_mut);
        clusters.ok_or("no clusters")?.push(json!({
            "name": "code",
            "type": "STATIC",
            "load_assignment": { "cluster_name": "code", "endpoints": [{ "lb_endpoints": [{
                "endpoint": { "address": { "socket_address": socket(self.server.address()) } },
            }] }] },
        }));
        let dir = self.scratch.folder("envoy")?;
        let binary = EnvoyBinary::find(None)?;
        let envoy = Envoy::start(&binary, LISTENER, bootstrap.document(), 1, &dir)?;
        Ok(Fetching { envoy, plan: self })
    }

    /// Puts a listener in place; generations differ in the filter's configuration.
    fn write(&self, generation: u64, at: SocketAddr, policy: &str, code: &Value) -> Result {
        let configuration = json!({
            "tcp_reporting_duration": "300ms",
            "limits": { "max_series": 1000 + generation },
        });
        let document = json!({ "resources": [{
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": LISTENER,
            "traffic_direction": "INBOUND",
            "address": { "socket_address": socket(at) },
            "filter_chains": [{ "filters": [
                {
                    "name": "tcp_peer_stats",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
                        "config": {
                            "name": "tcp_peer_stats",
                            "failure_policy": policy,
                            "vm_config": { "runtime": "envoy.wasm.runtime.v8", "code": code },
                            "configuration": {
                                "@type": "type.googleapis.com/google.protobuf.StringValue",
                                "value": configuration.to_string(),
                            },
                        },
                    },
                },
                {
                    "name": "envoy.filters.network.tcp_proxy",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                        "stat_prefix": "app",
                        "cluster": "app",
                    },
                },
            ] }],
        }] });
        let new = self.listeners.with_extension("new");
        fs::write(&new, document.to_string())?;
        Ok(fs::rename(&new, &self.listeners)?)
    }
}

/// An Envoy whose filter comes from the server.
pub(super) struct Fetching<'a> {
    envoy: Envoy,
    plan: &'a Plan,
}

impl Fetching<'_> {
    pub(super) fn connect(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(self.envoy.listener(LISTENER)?)?)
    }

    /// What comes back on a new connection: all that was sent, or nothing.
    pub(super) fn passes(&self) -> Result<bool> {
        let closed = [
            ErrorKind::BrokenPipe,
            ErrorKind::ConnectionReset,
            ErrorKind::NotConnected,
        ];
        match round_trip(self.connect()?, PAYLOAD) {
            Ok(answer) if answer == PAYLOAD => Ok(true),
            Ok(answer) if answer.is_empty() => Ok(false),
            Err(error) if closed.contains(&error.kind()) => Ok(false),
            other => Err(format!("{other:?}").into()),
        }
    }

    /// Changes the listener.
    pub(super) fn update(&self, policy: &str, code: &Value) -> Result {
        self.plan.write(1, EPHEMERAL, policy, code)
    }

    /// Waits until the change is in place.
    pub(super) fn updated(&self) -> Result {
        self.until("listener_in_place_updated: 1", || self.listeners())?;
        self.until("total_listeners_warming: 0", || self.listeners())
    }

    /// Whether the changed listener waits for something.
    pub(super) fn is_warming(&self) -> Result<bool> {
        Ok(self.listeners()?.contains("total_listeners_warming: 1"))
    }

    fn listeners(&self) -> mesh::Result<String> {
        self.envoy.get("/stats?filter=listener_manager")
    }

    /// Waits until so many connections have been reported with their bytes, and no more.
    pub(super) fn counted(&self, connections: u64) -> Result {
        let bytes = connections * PAYLOAD.len() as u64;
        let counts = Counts {
            opened: connections,
            closed: connections,
            received: bytes,
            sent: bytes,
        };
        self.until(&format!("{counts:?}"), || {
            let metrics = self.envoy.metrics()?;
            Ok(format!("{:?}", Counts::reported(&metrics, &[])))
        })
    }

    fn until(&self, text: &str, ask: impl Fn() -> mesh::Result<String>) -> Result {
        poll::until(text, LIMIT, || {
            let answer = ask()?;
            Ok(match answer.contains(text) {
                true => Look::Found(()),
                false => Look::NotYet(answer),
            })
        })?;
        Ok(())
    }
}

fn socket(address: SocketAddr) -> Value {
    json!({ "address": address.ip(), "port_value": address.port() })
}
