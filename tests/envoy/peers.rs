//! Peers without exchange: the bytes pass unchanged, and the labels are those of the certificate
//! and the control plane.

use std::io::Write;

use mesh::apps::{self, App};
use mesh::labels::{OPENED, Reporter};
use mesh::situation::Situation;
use mesh::testing::Result;
use mesh::{Counts, Filter, Hop};
use serde_json::json;

use crate::fixture::{Fixture, SERVICE, check, check_outcomes, expect, round_trip, same_bytes};

const ONE: Counts = Counts {
    opened: 1,
    closed: 1,
    received: 7,
    sent: 7,
};

fn one_round_trip(fixture: &Fixture) -> Result {
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    same_bytes(&fixture.mesh, SERVICE)
}

/// Expects one connection with the labels of a peer that sends no metadata.
fn check_without_metadata(fixture: &Fixture, reporter: Reporter) -> Result {
    let labels = fixture.mesh.labels_without_exchange(reporter, SERVICE)?;
    check(&fixture.mesh, SERVICE, reporter, ONE, &labels).map(drop)
}

// Shows: filter/docs/operations.md, "no frame is written; the client is identified by its"
#[test]
fn a_client_without_the_filter_is_known_by_its_certificate() -> Result {
    let fixture = Fixture::with(
        "no-client-filter",
        App::start(apps::echo)?,
        |mesh, service| mesh.client_filter(Filter::Absent).service(service),
    )?;
    one_round_trip(&fixture)?;
    check_without_metadata(&fixture, Reporter::Destination)?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "absent", 1)?;
    Ok(())
}

#[test]
fn a_server_without_the_filter_is_known_by_its_certificate_and_the_control_plane() -> Result {
    let receive = json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "mode": "receive" },
    });
    let fixture = Fixture::with(
        "no-server-filter",
        App::start(apps::echo)?,
        |mesh, service| {
            mesh.client_filter(Filter::Configured(receive))
                .service(service.filter(Filter::Absent))
        },
    )?;
    one_round_trip(&fixture)?;
    check_without_metadata(&fixture, Reporter::Source)?;
    check_outcomes(&fixture.mesh, Reporter::Source, "absent", 1)?;
    Ok(())
}

/// A filter that ignores a port does not remove frames on it either.
// Shows: filter/docs/operations.md, "Configure the port of a service on both ends."
#[test]
fn ports_of_one_side_only_let_the_clients_frame_reach_the_application() -> Result {
    let elsewhere = json!({ "tcp_reporting_duration": "500ms", "ports": { "include": [1] } });
    let fixture = Fixture::with(
        "ports-server",
        App::start(apps::length)?,
        |mesh, service| mesh.service(service.filter(Filter::Configured(elsewhere))),
    )?;
    for _ in 0..2 {
        assert_ne!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    }
    check_outcomes(&fixture.mesh, Reporter::Source, "absent", 2)
}

/// Without the client's frame the server writes none.
// Shows: filter/docs/operations.md, "If only the server's side handles it, no frame is written"
#[test]
fn ports_of_the_servers_side_only_do_no_harm() -> Result {
    let elsewhere = json!({ "tcp_reporting_duration": "500ms", "ports": { "include": [1] } });
    let fixture = Fixture::with(
        "ports-client",
        App::start(apps::length)?,
        |mesh, service| {
            mesh.client_filter(Filter::Configured(elsewhere))
                .service(service.hop(Hop::MeshWithoutAlpn))
        },
    )?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    check_outcomes(&fixture.mesh, Reporter::Destination, "absent", 1)
}

/// The ALPN asks for the server's frame, whatever the client's filter does.
// Shows: filter/docs/operations.md, "a server in mode `on` would write a frame that no filter"
// Shows: filter/docs/peer-exchange.md, "It does not prove that the filter is there"
#[test]
fn an_alpn_in_the_cluster_without_a_filter_lets_the_servers_frame_reach_the_client() -> Result {
    let elsewhere = json!({ "tcp_reporting_duration": "500ms", "ports": { "include": [1] } });
    let fixture = Fixture::with(
        "alpn-without-filter",
        App::start(apps::length)?,
        |mesh, service| {
            mesh.client_filter(Filter::Configured(elsewhere))
                .service(service)
        },
    )?;
    let answer = round_trip(fixture.connect()?, b"payload")?;
    assert!(answer.starts_with(&peer_exchange::MAGIC), "{answer:?}");
    assert!(answer.ends_with(b"7 bytes\n"), "{answer:?}");
    Ok(())
}

#[test]
fn a_foreign_tls_server_gets_exactly_the_clients_bytes() -> Result {
    let fixture = Fixture::with("foreign", App::start(apps::echo)?, |mesh, service| {
        mesh.service(service.hop(Hop::Foreign).filter(Filter::Absent))
    })?;
    for _ in 0..3 {
        one_round_trip(&fixture)?;
    }
    let metrics = fixture.mesh.settled(Reporter::Source, SERVICE)?;
    let series = metrics.one(OPENED, &[("reporter", "source")])?;
    assert_eq!(series.value, 3.0);
    for label in [
        "destination_workload",
        "destination_principal",
        "destination_cluster",
    ] {
        assert_eq!(
            series.labels.get(label).map(String::as_str),
            Some("unknown"),
            "{label}"
        );
    }
    assert_eq!(
        series
            .labels
            .get("destination_service_name")
            .map(String::as_str),
        Some(SERVICE)
    );
    check_outcomes(&fixture.mesh, Reporter::Source, "not_attempted", 3)?;
    Ok(())
}

#[test]
fn without_tls_no_frame_is_written() -> Result {
    let fixture = Fixture::with("plaintext", App::start(apps::echo)?, |mesh, service| {
        mesh.situation(Situation::Plain).service(service)
    })?;
    one_round_trip(&fixture)?;
    fixture.check_both(ONE)
}

#[test]
fn off_counts_and_touches_nothing() -> Result {
    let fixture = Fixture::with("off", App::start(apps::echo)?, |mesh, service| {
        mesh.situation(Situation::Telemetry).service(service)
    })?;
    let mut stream = fixture.connect()?;
    // Payload that looks like a frame is payload.
    stream.write_all(b"\x3d\x23\x04\x67\0\0\0\x01payload")?;
    expect(&mut stream, b"\x3d\x23\x04\x67\0\0\0\x01payload")?;
    drop(stream);
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: 15,
        sent: 15,
    })
}
