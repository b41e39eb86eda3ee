//! Frames of a client, sent by the test through a sidecar without the filter.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::Filter;
use mesh::apps::{self, App};
use mesh::exposition::Exposition;
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use peer_exchange::{Frame, Struct, Value};

use crate::fixture::{Fixture, SERVICE, check_outcomes, expect};

fn fixture(name: &str) -> Result<Fixture> {
    Fixture::with(name, App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(Filter::Absent).service(service)
    })
}

fn frame(workload: &str) -> Vec<u8> {
    let metadata = Struct::from_iter([("WORKLOAD_NAME", Value::from(workload))]);
    Frame::new(metadata, "made-up").encode()
}

/// Reads the server's frame in front of the answers.
fn skip_frame(stream: &mut TcpStream) -> Result {
    let mut header = [0; 8];
    stream.read_exact(&mut header)?;
    let [a, b, c, d, length @ ..] = header;
    assert_eq!([a, b, c, d], peer_exchange::MAGIC);
    let mut payload = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload)?;
    Ok(())
}

/// Waits for the destination's report of one closed connection; the taps count frames too here.
fn reported(fixture: &Fixture, received: f64, sent: f64) -> Result<Exposition> {
    let metrics = poll::until("one closed connection", LIMIT, || {
        let metrics = fixture.mesh.server(SERVICE)?.metrics()?;
        Ok(if metrics.sum(CLOSED, &[]) == 1.0 {
            Look::Found(metrics)
        } else {
            Look::NotYet("it is still open".to_owned())
        })
    })?;
    assert_eq!(metrics.sum(OPENED, &[]), 1.0);
    assert_eq!(metrics.sum(RECEIVED, &[]), received);
    assert_eq!(metrics.sum(SENT, &[]), sent);
    Ok(metrics)
}

#[test]
fn a_frame_in_single_bytes_is_removed() -> Result {
    let fixture = fixture("frame-in-bytes")?;
    let mut stream = fixture.connect()?;
    stream.set_nodelay(true)?;
    for byte in frame("made-up") {
        stream.write_all(&[byte])?;
    }
    stream.write_all(b"hello")?;
    skip_frame(&mut stream)?;
    expect(&mut stream, b"hello")?;
    drop(stream);
    let metrics = reported(&fixture, 5.0, 5.0)?;
    metrics.one(
        OPENED,
        &[
            ("source_workload", "made-up"),
            ("source_workload_namespace", "default"),
        ],
    )?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "exchanged", 1)?;
    Ok(())
}

#[test]
fn a_malformed_frame_is_removed_and_the_connection_goes_on() -> Result {
    let fixture = fixture("worthless-frame")?;
    let mut stream = fixture.connect()?;
    stream.write_all(b"\x3d\x23\x04\x67\0\0\0\x04\xff\xff\xff\xffhello")?;
    skip_frame(&mut stream)?;
    expect(&mut stream, b"hello")?;
    drop(stream);
    let metrics = reported(&fixture, 5.0, 5.0)?;
    metrics.one(OPENED, &[("source_workload", "unknown")])?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "malformed", 1)?;
    let log = fixture.mesh.server(SERVICE)?.log_text()?;
    assert!(
        log.contains("malformed frame: its payload is no Any"),
        "{log}"
    );
    Ok(())
}

#[test]
fn half_a_magic_is_payload() -> Result {
    let fixture = fixture("half-a-magic")?;
    let mut stream = fixture.connect()?;
    stream.write_all(b"=#")?;
    stream.write_all(b"=# not a frame")?;
    expect(&mut stream, b"=#=# not a frame")?;
    drop(stream);
    reported(&fixture, 16.0, 16.0)?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "absent", 1)?;
    Ok(())
}

#[test]
fn a_frame_over_the_cap_ends_the_connection() -> Result {
    let fixture = fixture("frame-over-cap")?;
    let mut stream = fixture.connect()?;
    stream.write_all(b"\x3d\x23\x04\x67\xff\xff\xff\xffnever seen")?;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    drop(stream);
    reported(&fixture, 0.0, 0.0)?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "too_large", 1)?;
    let log = fixture.mesh.server(SERVICE)?.log_text()?;
    assert!(
        log.contains("payload of 4294967295 bytes is longer than the accepted 65536"),
        "{log}"
    );
    assert_eq!(
        fixture
            .mesh
            .tap(Reporter::Destination, SERVICE)?
            .tally()
            .received(),
        0
    );
    Ok(())
}

#[test]
fn a_label_cannot_be_injected() -> Result {
    let fixture = fixture("injection")?;
    let mut stream = fixture.connect()?;
    stream.write_all(&frame("evil;.;source_app=.=admin;.;istio_fake_total\n\"}"))?;
    stream.write_all(b"hello")?;
    skip_frame(&mut stream)?;
    expect(&mut stream, b"hello")?;
    drop(stream);
    let metrics = reported(&fixture, 5.0, 5.0)?;
    let series = metrics.one(OPENED, &[("source_app", "unknown")])?;
    let workload = series.labels.get("source_workload").map(String::as_str);
    assert_eq!(
        workload,
        Some("evil_._source_app_._admin_._istio_fake_total_\"}")
    );
    assert_eq!(series.labels.len(), 23);
    Ok(())
}
