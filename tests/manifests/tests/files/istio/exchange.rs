//! The exchange between the sidecars of a client and a server, from the first connection on.

use std::io::Read;

use manifests::pilot::Sidecar;
use mesh::apps::{self, App};
use mesh::exposition::Labels;
use mesh::labels::{self, METRICS, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::LIMIT;
use mesh::{Envoy, Workload};

use super::running::{Running, converse};
use super::support::Install;

const EXCHANGES: &str = "istio_tcp_peer_exchange_total";
const GREETING: &[u8] = b"greeting";
const PAYLOAD: &[u8] = b"payload";

/// An application that echoes, and its greeting.
fn server_first() -> (App, &'static [u8]) {
    (App::start(apps::greeting(GREETING)).unwrap(), GREETING)
}

fn client_first() -> (App, &'static [u8]) {
    (App::start(apps::echo).unwrap(), b"")
}

/// Starts the sidecars and sends connections. The client waits for the greeting before it writes.
fn run(application: (App, &[u8]), sidecars: [Sidecar; 2], connections: usize) -> Running {
    let (app, expected) = application;
    let running = Running::start(app, sidecars);
    for _ in 0..connections {
        let mut stream = running.connect();
        let mut greeting = vec![0; expected.len()];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(greeting, expected);
        assert_eq!(converse(stream, PAYLOAD, PAYLOAD.len()), PAYLOAD);
    }
    running
}

/// All 23 labels.
fn complete(reporter: Reporter) -> Labels {
    let server = Workload::bookinfo("mongodb", "v1");
    labels::exchanged(reporter, &Workload::ratings_v2(), &server)
}

/// Waits until a sidecar has counted `all` closed connections, and checks that `expected` of them
/// have these labels and are exchanged.
fn check(envoy: &Envoy, labels: &Labels, all: f64, expected: f64) {
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let what = format!("{expected} of {all} connections with {labels:?}");
    poll::until(&what, LIMIT, || {
        let metrics = envoy.metrics()?;
        let [opened, closed, ..] = METRICS;
        let counted = [
            metrics.sum(closed, &[]),
            metrics.sum(opened, &labels),
            metrics.sum(closed, &labels),
            metrics.sum(EXCHANGES, &[]),
            metrics.sum(EXCHANGES, &[("result", "exchanged")]),
        ];
        Ok(match counted == [all, expected, expected, all, expected] {
            true => Look::Found(()),
            false => Look::NotYet(format!("{counted:?}")),
        })
    })
    .unwrap();
}

/// The client offers the ALPN, so the server's frame is in front of its first bytes in every
/// connection, and shows the client that the server reads frames. If the client speaks first, it
/// does not know that in the first connection.
// Shows: envoy-config/istio/README.md, "The server answers the offer all the same."
#[test]
fn labels_are_complete_from_the_second_connection_on() {
    let [source, destination] = Reporter::BOTH.map(complete);
    for install in [Install::EXCHANGE, Install::EXCHANGE_STRICT] {
        for (application, at_the_server) in [(server_first(), 3.0), (client_first(), 2.0)] {
            let (client, server, _) = install.sidecars();
            let running = run(application, [client, server], 3);
            check(running.pair.client(), &source, 3.0, 3.0);
            check(running.pair.server(), &destination, 3.0, at_the_server);
        }
    }
}

/// A server that does not know the offer has no proof for the client, so no frame is written.
#[test]
fn without_the_fingerprint_there_is_no_exchange() {
    let (client, mut server, _) = Install::EXCHANGE.sidecars();
    server.remove_listener_filter("tcp_peer_stats.client_ja4");
    let running = run(server_first(), [client, server], 2);
    let [source, destination] = Reporter::BOTH.map(complete);
    check(running.pair.client(), &source, 2.0, 0.0);
    check(running.pair.server(), &destination, 2.0, 0.0);
}

/// The pods of the server have not got the label yet, or have lost it.
#[test]
fn a_server_without_the_filter_receives_no_frame() {
    let (client, ..) = Install::EXCHANGE.sidecars();
    for mode in [Install::EXCHANGE, Install::EXCHANGE_STRICT] {
        let (_, server, _) = mode.sidecars_labelled("other");
        let running = run(client_first(), [client.clone(), server], 2);
        check(running.pair.client(), &complete(Reporter::Source), 2.0, 0.0);
    }
}

/// The other overlay writes in every connection of the chain matched on the ALPN.
#[test]
fn a_replacement_exchanges_in_the_first_connection() {
    for application in [server_first(), client_first()] {
        let (client, server, _) = Install::REPLACING.sidecars();
        let running = run(application, [client, server], 1);
        let [source, destination] = Reporter::BOTH.map(complete);
        check(running.pair.client(), &source, 1.0, 1.0);
        check(running.pair.server(), &destination, 1.0, 1.0);
    }
}
