//! Tests of the whole core with a fake host. Read `one_connection` first.

mod configuration;
mod exchange;
mod extended;
mod labels;
mod lazy;
mod log;
mod one_connection;
mod peers;
mod pool;
mod proofs;
mod reporting;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use peer_exchange::{Frame, Struct, Value};
use prost::Message as _;

use crate::config::Mode;
use crate::host::envoy;
use crate::host::fake::FakeHost;
use crate::host::{Buffer, Status};
use crate::series::SeriesTable;
use crate::{Connection, Flow, Plugin};

const CLUSTER: &str = "outbound|5432||db.data.svc.cluster.local";
const CLIENT: &str = "spiffe://cluster.local/ns/shop/sa/client";
const SERVER: &str = "spiffe://cluster.local/ns/data/sa/server";

fn metadata(workload: &str) -> Struct {
    Struct::from_iter([
        ("WORKLOAD_NAME", Value::from(workload)),
        ("NAMESPACE", Value::from("claimed")),
        ("CLUSTER_ID", Value::from("Kubernetes")),
    ])
}

fn peer_frame() -> Vec<u8> {
    Frame::new(metadata("peer"), "peer-id").encode()
}

/// The node of a workload called `me`, in a proxy with these extensions.
fn node(extensions: &[&str]) -> envoy::Node {
    let extension = |name: &&str| envoy::Extension {
        name: (*name).to_owned(),
    };
    envoy::Node {
        id: "my-id".to_owned(),
        metadata: Some(metadata("me")),
        locality: None,
        extensions: extensions.iter().map(extension).collect(),
    }
}

/// A host with such a node.
fn host(extensions: &[&str]) -> FakeHost {
    let host = FakeHost::default();
    host.set("xds.node", node(extensions).encode_to_vec());
    host
}

/// The attributes of an outbound connection: mTLS to a host with a SPIFFE id.
fn outbound() -> FakeHost {
    let host = host(&[]);
    host.set("xds.listener_direction", 2i64.to_le_bytes());
    host.set("xds.cluster_name", CLUSTER);
    host.set("upstream.address", "10.0.0.1:5432");
    host.set("upstream.uri_san_local_certificate", CLIENT);
    host.set("upstream.uri_san_peer_certificate", SERVER);
    host
}

/// The attributes of an inbound connection: mTLS from a client.
fn inbound() -> FakeHost {
    let host = host(&[]);
    host.set("xds.listener_direction", 1i64.to_le_bytes());
    host.set("xds.cluster_name", "inbound|5432||");
    host.set("connection.mtls", [1]);
    host.set("connection.tls_version", "TLSv1.3");
    host.set("connection.uri_san_local_certificate", SERVER);
    host.set("connection.uri_san_peer_certificate", CLIENT);
    host.set("source.address", "10.0.0.2:50000");
    host
}

/// A plugin with one connection.
struct Sim<'a> {
    host: &'a FakeHost,
    plugin: Plugin<&'a FakeHost>,
    connection: Rc<RefCell<Connection<&'a FakeHost>>>,
}

impl<'a> Sim<'a> {
    fn new(host: &'a FakeHost, config: &str) -> Self {
        let plugin = Plugin::configure(host, 1, config.as_bytes()).expect("a good configuration");
        let connection = plugin.on_new_connection(2).expect("a port to look at");
        Self {
            host,
            plugin,
            connection,
        }
    }

    /// A plugin in this mode, with the cluster of [`outbound`] listed.
    fn mode(host: &'a FakeHost, mode: &str) -> Self {
        Self::new(
            host,
            &format!(r#"{{"peer_exchange": {{"mode": "{mode}", "clusters": ["{CLUSTER}"]}}}}"#),
        )
    }

    /// Sends bytes towards the server; returns what goes on.
    fn down(&self, data: &[u8]) -> Vec<u8> {
        self.data(Buffer::Downstream, data)
    }

    /// Sends bytes towards the client; returns what goes on.
    fn up(&self, data: &[u8]) -> Vec<u8> {
        self.data(Buffer::Upstream, data)
    }

    fn data(&self, buffer: Buffer, data: &[u8]) -> Vec<u8> {
        self.host.data.replace(data.to_vec());
        let flow = self
            .connection
            .borrow_mut()
            .on_data(buffer, data.len(), false);
        match flow {
            Flow::Continue => self.host.data.take(),
            Flow::Hold => Vec::new(),
        }
    }

    fn close(&self) {
        self.connection.borrow_mut().on_close();
    }

    /// The values of the host's stats, as (opened, closed, received, sent).
    fn counts(&self, labels: &[&str]) -> (u64, u64, u64, u64) {
        let metric = |name: &str| self.host.metric(&[labels, &[name]].concat());
        (
            metric("istio_tcp_connections_opened_total"),
            metric("istio_tcp_connections_closed_total"),
            metric("istio_tcp_received_bytes_total"),
            metric("istio_tcp_sent_bytes_total"),
        )
    }

    fn outcome(&self, result: &str) -> u64 {
        self.plugin.on_tick();
        self.host.metric(&[
            &format!("result=.={result};.;"),
            "istio_tcp_peer_exchange_total",
        ])
    }
}
