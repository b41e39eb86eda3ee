//! Bootstraps on real sockets.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

mod bootstrap;
mod data_path;
mod filter;
mod tls;

use harness_serve::{Bootstrap, ServeError, Server};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpStream};

/// Serves a document.
fn serve(document: Value) -> Result<Server, ServeError> {
    Server::start(Bootstrap::from(document), 1, |line| eprintln!("{line}"))
}

/// A bootstrap without a filter: one plaintext listener, in front of one host.
fn passthrough(upstream: SocketAddr) -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
    let tcp_proxy = json!({ "@type": kind, "stat_prefix": "tcp", "cluster": "upstream" });
    let endpoint = json!({ "endpoint": { "address": address(upstream) } });
    json!({
        "node": { "id": "node" },
        "admin": { "address": address("127.0.0.1:0".parse().unwrap()) },
        "static_resources": {
            "listeners": [{
                "name": "tcp",
                "traffic_direction": "OUTBOUND",
                "address": address("127.0.0.1:0".parse().unwrap()),
                "filter_chains": [{ "filters": [{ "name": "tcp", "typed_config": tcp_proxy }] }],
            }],
            "clusters": [{
                "name": "upstream",
                "load_assignment": { "endpoints": [{ "lb_endpoints": [endpoint] }] },
            }],
        },
    })
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.listener("tcp").unwrap()).unwrap()
}

/// `null` is made an object or an array on the way.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[key] = value;
}
