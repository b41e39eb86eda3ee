//! Both applications write as soon as they are connected, as in SSH: all bytes arrive, and every
//! connection has all labels, whatever the interleaving.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use mesh::apps::App;
use mesh::labels::Reporter;
use mesh::testing::Result;
use mesh::{Counts, Hop};

use crate::fixture::{Fixture, SERVICE, check, expect, same_bytes};
use crate::proofs::{check_counter, unlisted};

const CONNECTIONS: u64 = 20;
const CLIENT: &[u8] = b"SSH-2.0-client\r\n";
const SERVER: &[u8] = b"SSH-2.0-server\r\n";

/// Writes first, then expects the client's line and answers one byte.
fn speaks_first(mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(SERVER)?;
    let mut line = [0; CLIENT.len()];
    stream.read_exact(&mut line)?;
    let is_whole = line == CLIENT;
    stream.write_all(if is_whole { b"+" } else { b"-" })?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

fn talk(fixture: &Fixture) -> Result {
    for _ in 0..CONNECTIONS {
        let mut stream = fixture.connect()?;
        stream.write_all(CLIENT)?;
        expect(&mut stream, SERVER)?;
        expect(&mut stream, b"+")?;
    }
    fixture.mesh.all_closed(Reporter::Source, SERVICE)?;
    fixture.mesh.all_closed(Reporter::Destination, SERVICE)?;
    same_bytes(&fixture.mesh, SERVICE)?;
    let unanswered = "istio_tcp_unanswered_frames_total";
    check_counter(fixture.mesh.client(), unanswered, 0.0)
}

fn counts() -> Counts {
    Counts {
        opened: CONNECTIONS,
        closed: CONNECTIONS,
        received: CONNECTIONS * CLIENT.len() as u64,
        sent: CONNECTIONS * (SERVER.len() as u64 + 1),
    }
}

#[test]
fn a_server_that_writes_first_has_all_labels_on_both_sides() -> Result {
    let fixture = Fixture::start("both-at-once", App::start(speaks_first)?)?;
    talk(&fixture)?;
    fixture.check_both(counts())
}

/// The server waits for the client's frame, and its own bytes may pass before.
#[test]
fn a_server_that_waits_for_the_frame_has_the_clients_labels() -> Result {
    let fixture = Fixture::with(
        "both-waiting",
        App::start(speaks_first)?,
        |mesh, service| mesh.service(service.hop(Hop::MeshWithoutAlpn)),
    )?;
    talk(&fixture)?;
    let labels = fixture.labels(Reporter::Destination)?;
    check(
        &fixture.mesh,
        SERVICE,
        Reporter::Destination,
        counts(),
        &labels,
    )
    .map(drop)
}

/// Only some of the connections carry the client's frame: those on which the server's bytes came
/// later than the client's.
#[test]
fn a_client_that_learned_from_the_server_harms_no_byte() -> Result {
    let fixture = Fixture::with(
        "both-learned",
        App::start(speaks_first)?,
        |mesh, service| mesh.client_filter(unlisted()).service(service),
    )?;
    talk(&fixture)?;
    let labels = fixture.labels(Reporter::Source)?;
    check(&fixture.mesh, SERVICE, Reporter::Source, counts(), &labels).map(drop)
}
