//! The clients of a server with the exchange: whoever connects is counted, and the application
//! receives the bytes of the client and no others.

use std::net::TcpStream;

use mesh::apps::{self, App};
use mesh::labels::METRICS;
use mesh::poll::{self, Look};
use mesh::testing::LIMIT;

use super::running::{Running, converse};
use super::support::Install;

const GREETING: &[u8] = b"greeting";
/// The start of a TLS handshake without an ALPN: the application's own TLS.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x57\x01\x00\x00\x53\x03\x03\
    \x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\
    \x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\
    \x00\x00\x04\xc0\x2b\xc0\x2f\x01\x00\x00\x26\
    \x00\x00\x00\x0c\x00\x0a\x00\x00\x07mongodb\
    \x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17\
    \x00\x0d\x00\x08\x00\x06\x04\x03\x08\x04\x04\x01";

#[derive(Clone, Copy, Debug)]
enum Client {
    /// A sidecar with the exchange.
    Exchange,
    /// A sidecar without this filter.
    Mesh,
    /// No sidecar, no TLS.
    Plaintext,
    /// No sidecar, and TLS to the application.
    ItsOwnTls,
}

impl Client {
    fn connect(self, running: &Running) -> TcpStream {
        match self {
            Self::Exchange | Self::Mesh => running.connect(),
            Self::Plaintext | Self::ItsOwnTls => running.connect_directly(),
        }
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::ItsOwnTls => CLIENT_HELLO,
            _ => b"payload",
        }
    }

    /// `connection_security_policy` at the server.
    fn policy(self) -> &'static str {
        match self {
            Self::Exchange | Self::Mesh => "mutual_tls",
            Self::Plaintext | Self::ItsOwnTls => "none",
        }
    }
}

/// Sends three connections of a client, so that what the sidecars learn in one of them has an
/// effect on another.
fn check(install: Install, client: Client) {
    const CONNECTIONS: u32 = 3;
    let (with_exchange, server, _) = install.sidecars();
    let (without, ..) = install.sidecars_labelled("other");
    let sidecar = match client {
        Client::Exchange => with_exchange,
        _ => without,
    };
    // A server's frame would be in front of the greeting, a client's would be echoed.
    let application = App::start(apps::greeting(GREETING)).unwrap();
    let running = Running::start(application, [sidecar, server]);
    let bytes = client.bytes();
    let expected = [GREETING, bytes].concat();
    for _ in 0..CONNECTIONS {
        let answer = converse(client.connect(&running), bytes, expected.len());
        assert_eq!(answer, expected, "{client:?}, {install:?}");
    }
    let connections = f64::from(CONNECTIONS);
    let total = |bytes: &[u8]| connections * bytes.len() as f64;
    let expected = [connections, connections, total(bytes), total(&expected)];
    let policy = [("connection_security_policy", client.policy())];
    let what = format!("the connections of {client:?}, {install:?}");
    poll::until(&what, LIMIT, || {
        let metrics = running.pair.server().metrics()?;
        let values = METRICS.map(|name| metrics.sum(name, &policy));
        let all = METRICS.map(|name| metrics.sum(name, &[]));
        Ok(match values == expected && all == expected {
            true => Look::Found(()),
            false => Look::NotYet(format!("{values:?} of {all:?}")),
        })
    })
    .unwrap();
}

// Shows: envoy-config/istio/README.md, "The server's filter is in every chain of the port"
#[test]
fn every_client_is_counted_under_permissive() {
    for client in [
        Client::Exchange,
        Client::Mesh,
        Client::Plaintext,
        Client::ItsOwnTls,
    ] {
        check(Install::EXCHANGE, client);
    }
}

#[test]
fn every_client_is_counted_under_strict() {
    for client in [Client::Exchange, Client::Mesh] {
        check(Install::EXCHANGE_STRICT, client);
    }
}

/// Without a TLS inspector, an application's own TLS is plaintext to Envoy.
#[test]
fn every_client_is_counted_under_disable() {
    for client in [Client::Plaintext, Client::ItsOwnTls] {
        check(Install::EXCHANGE_DISABLE, client);
    }
}
