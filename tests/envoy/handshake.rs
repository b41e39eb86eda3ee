//! `connection_security_policy` of connections that show no client certificate: only those that end
//! before the TLS handshake does are unknown.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::Scratch;
use mesh::apps::{self, App};
use mesh::labels::{CLOSED, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Filter, Hop};
use serde_json::json;

use crate::fixture::{Fixture, SERVICE, nobody, round_trip, server};

/// A ClientHello of TLS 1.2 with the server name `mongodb` and the ALPN of the exchange. Who sends
/// nothing else never ends the handshake.
const CLIENT_HELLO: &str = "1603010077010000730303000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f000004c02bc02f010000460000000c000a0000076d6f6e676f646200100016001413697374696f2d706565722d65786368616e6765000a00060004001d0017000b00020100000d00080006040308040401";

/// The application is down: a client says `first` and is closed; the flags and the policy of the
/// one connection.
fn refused(name: &str, hop: Hop, first: &[u8]) -> Result<[String; 2]> {
    let scratch = Scratch::new(name)?;
    let at_close = json!({ "tcp_reporting_duration": "0" });
    let envoy = server(&scratch, hop, nobody()?, &at_close, |_| {})?;
    let mut client = TcpStream::connect(envoy.listener("virtualInbound")?)?;
    client.set_read_timeout(Some(LIMIT))?;
    client.write_all(first)?;
    // Envoy's part of a handshake, then the end or a reset.
    let _ended = client.read_to_end(&mut Vec::new());
    let series = poll::until("the connection to be counted", LIMIT, || {
        Ok(match envoy.metrics()?.one(CLOSED, &[]) {
            Ok(series) => Look::Found(series.labels.clone()),
            Err(error) => Look::NotYet(error.to_string()),
        })
    })?;
    let label = |name: &str| series.get(name).cloned().unwrap_or_default();
    Ok(["response_flags", "connection_security_policy"].map(label))
}

#[test]
fn a_connection_that_ends_before_its_handshake_is_no_plaintext() -> Result {
    let hello = hex::decode(CLIENT_HELLO)?;
    let [flags, policy] = refused("handshake-unfinished", Hop::Mesh, &hello)?;
    assert_eq!([&*flags, &*policy], ["UF,URX", "unknown"]);
    Ok(())
}

#[test]
fn a_plaintext_connection_that_fails_is_plaintext() -> Result {
    let [flags, policy] = refused("handshake-none", Hop::Plaintext, b"query")?;
    assert_eq!([&*flags, &*policy], ["UF,URX", "none"]);
    Ok(())
}

#[test]
fn tls_without_a_client_certificate_stays_none() -> Result {
    let fixture = Fixture::with("one-way-tls", App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(Filter::Absent)
            .service(service.hop(Hop::Foreign))
    })?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    let metrics = fixture.mesh.settled(Reporter::Destination, SERVICE)?;
    let series = metrics.one(CLOSED, &[("reporter", "destination")])?;
    for (label, value) in [
        ("connection_security_policy", "none"),
        ("source_principal", "unknown"),
    ] {
        assert_eq!(
            series.labels.get(label).map(String::as_str),
            Some(value),
            "{label}"
        );
    }
    Ok(())
}
