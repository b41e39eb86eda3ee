//! Connections between the sidecars of all installations, in two real Envoys.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use manifests::WorkloadPatch;
use manifests::pair::Pair;
use mesh::apps::{self, App};
use mesh::labels::{METRICS, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::LIMIT;
use mesh::{Envoy, Scratch, wasm};

use super::bookinfo;
use super::installations::{
    EXCHANGE, INSTALLATIONS, Installation, Peers, client, expected, server,
};

/// A frame of the server would be in front of the greeting, one of the client would be echoed.
const GREETING: &[u8] = b"greeting";
const PAYLOAD: &[u8] = b"payload";
/// What the sidecars learn in one connection has an effect on the others.
const CONNECTIONS: u32 = 3;
/// The start of a TLS handshake without an ALPN: the application's own TLS.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x57\x01\x00\x00\x53\x03\x03\
    \x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\
    \x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\
    \x00\x00\x04\xc0\x2b\xc0\x2f\x01\x00\x00\x26\
    \x00\x00\x00\x0c\x00\x0a\x00\x00\x07mongodb\
    \x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17\
    \x00\x0d\x00\x08\x00\x06\x04\x03\x08\x04\x04\x01";

/// Reads the greeting if the server's chain does not wait for the client's first bytes, sends
/// `bytes`, and compares everything that comes back.
fn converse(mut stream: TcpStream, bytes: &[u8], waits: bool) {
    let mut answer = vec![0; GREETING.len()];
    if waits {
        stream.read_exact(&mut answer).unwrap();
    }
    stream.write_all(bytes).unwrap();
    if !waits {
        stream.read_exact(&mut answer).unwrap();
    }
    assert_eq!(answer, GREETING);
    let mut echo = vec![0; bytes.len()];
    stream.read_exact(&mut echo).unwrap();
    // Envoy resets a plaintext connection that is half-closed while a listener filter inspects its
    // first bytes.
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut echo).unwrap();
    assert_eq!(echo, bytes);
}

/// Waits until the four metrics of a route have the values of connections with `bytes`, all in the
/// series with these labels.
fn counted(envoy: &Envoy, prefix: &str, labels: &[(&str, &str)], connections: &[&[u8]]) {
    let names = METRICS.map(|name| name.replacen("istio", prefix, 1));
    let number = connections.len() as f64;
    let total = |extra: usize| -> f64 {
        let sizes = connections.iter().map(|bytes| bytes.len() + extra);
        sizes.sum::<usize>() as f64
    };
    let expected = [number, number, total(0), total(GREETING.len())];
    poll::until(&format!("{prefix}: {labels:?}"), LIMIT, || {
        let metrics = envoy.metrics()?;
        let with = names.each_ref().map(|name| metrics.sum(name, labels));
        let all = names.each_ref().map(|name| metrics.sum(name, &[]));
        Ok(match with == expected && all == expected {
            true => Look::Found(()),
            false => {
                let series: Vec<_> = metrics.named(&names[0]).map(ToString::to_string).collect();
                Look::NotYet(format!("{with:?} of {all:?}: {series:?}"))
            }
        })
    })
    .unwrap();
}

/// The results of the exchanges of a route.
fn exchanges(envoy: &Envoy, prefix: &str, result: &str) {
    let name = format!("{prefix}_tcp_peer_exchange_total");
    let number = f64::from(CONNECTIONS);
    poll::until(&format!("{name} {result}"), LIMIT, || {
        let metrics = envoy.metrics()?;
        let counted = [
            metrics.sum(&name, &[("result", result)]),
            metrics.sum(&name, &[]),
        ];
        Ok(match counted == [number; 2] {
            true => Look::Found(()),
            false => {
                let series: Vec<_> = metrics.named(&name).map(ToString::to_string).collect();
                Look::NotYet(format!("{counted:?}: {series:?}"))
            }
        })
    })
    .unwrap();
}

fn check(pair: &Pair, installation: &Installation) {
    let prefix = installation.prefix();
    let sides = Reporter::BOTH
        .into_iter()
        .zip([pair.client(), pair.server()]);
    for (index, (reporter, envoy)) in sides.enumerate() {
        let peers = installation.peers[index];
        if peers == Peers::None {
            continue;
        }
        let labels = expected(peers, reporter);
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        counted(envoy, &prefix, &labels, &[PAYLOAD; CONNECTIONS as usize]);
        exchanges(envoy, &prefix, installation.results[index]);
    }
}

/// istiod's listeners and clusters for every overlay, in stock Envoys: both sidecars count every
/// connection with the labels that the pages promise, and no application receives a frame. One
/// pair of Envoys has all of them, because each start costs a second.
// Shows: envoy-config/istio/README.md, "The server answers the offer all the same."
#[test]
fn every_installation_counts_its_connections_and_sends_no_frame_to_an_application() {
    let scratch = Scratch::new("manifests-traffic").unwrap();
    let application = App::start(apps::greeting(GREETING)).unwrap();
    let mut routes: Vec<_> = INSTALLATIONS.iter().map(Installation::route).collect();
    let exchange = &INSTALLATIONS[0];
    for (name, prefix) in [("plaintext", "plaintext"), ("own_tls", "own_tls")] {
        let mut route = exchange.route();
        (route.name, route.prefix) = (name, Some(prefix.into()));
        routes.push(route);
    }
    // The tags of every workload's patch are the same.
    let tags = WorkloadPatch::read("exchange").unwrap().tags();
    let wasm = wasm::build().unwrap();
    let workloads = [&client(), &server()];
    let address = application.address();
    let pair = Pair::start(&scratch, &routes, workloads, &tags, &wasm, address).unwrap();
    for Installation { name, .. } in INSTALLATIONS {
        for _ in 0..CONNECTIONS {
            converse(pair.connect(name).unwrap(), PAYLOAD, true);
        }
    }
    // Clients without a sidecar: the TLS inspector waits for their first bytes.
    let direct = [("plaintext", PAYLOAD), ("own_tls", CLIENT_HELLO)];
    for (route, bytes) in direct {
        converse(pair.connect_directly(route).unwrap(), bytes, false);
    }
    for installation in INSTALLATIONS {
        check(&pair, installation);
    }
    for (route, bytes) in direct {
        let none = [("connection_security_policy", "none")];
        counted(pair.server(), route, &none, &[bytes]);
    }
    assert_eq!(exchange.name, EXCHANGE);
    bookinfo::every_query_has_a_result(&scratch, [pair.client(), pair.server()]);
}
