//! Peers that do not take part: the bytes are untouched and the labels say what is known.

use std::io::Write;

use serde_json::json;
use testbed::apps::{self, App};
use testbed::exposition::Labels;
use testbed::labels::{self, OPENED, Reporter};
use testbed::mesh::{Counts, Filter, Hop};

use crate::fixture::{
    Fixture, Result, SERVICE, check, check_outcomes, expect, round_trip, same_bytes,
};

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

/// The labels with some replaced.
fn but<const N: usize>(mut labels: Labels, changes: [(&str, &str); N]) -> Labels {
    labels.extend(labels::owned(changes));
    labels
}

/// What a destination knows of a client that proves its identity and tells nothing.
const UNTOLD_SOURCE: [(&str, &str); 6] = [
    ("source_workload", "unknown"),
    ("source_canonical_service", "unknown"),
    ("source_canonical_revision", "latest"),
    ("source_app", "unknown"),
    ("source_version", "unknown"),
    ("source_cluster", "unknown"),
];

#[test]
fn a_client_without_the_filter_is_known_by_its_certificate() -> Result {
    let fixture = Fixture::with(
        "no-client-filter",
        App::start(apps::echo)?,
        |mesh, service| mesh.client_filter(Filter::Absent).service(service),
    )?;
    one_round_trip(&fixture)?;
    let expected = but(fixture.labels(Reporter::Destination)?, UNTOLD_SOURCE);
    check(
        &fixture.mesh,
        SERVICE,
        Reporter::Destination,
        ONE,
        &expected,
    )?;
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
    // The endpoint's metadata has no app and no version.
    let untold = [
        ("destination_app", "unknown"),
        ("destination_version", "unknown"),
    ];
    let expected = but(fixture.labels(Reporter::Source)?, untold);
    check(&fixture.mesh, SERVICE, Reporter::Source, ONE, &expected)?;
    check_outcomes(&fixture.mesh, Reporter::Source, "absent", 1)?;
    Ok(())
}

/// The documented limit of `auto`: the control plane says "sidecar", the sidecar does not take
/// part. The first connection pays for it, the next ones do not.
#[test]
fn a_host_that_answers_a_frame_with_something_else_gets_no_second_one() -> Result {
    let fixture = Fixture::with("refused", App::start(apps::length)?, |mesh, service| {
        mesh.service(service.hop(Hop::MeshWithoutAlpn).filter(Filter::Absent))
    })?;
    assert_ne!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    check_outcomes(&fixture.mesh, Reporter::Source, "absent", 1)?;
    check_outcomes(&fixture.mesh, Reporter::Source, "suppressed", 2)?;
    let metrics = fixture.mesh.client().metrics()?;
    assert_eq!(metrics.sum("istio_tcp_refused_hosts_total", &[]), 1.0);
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
fn without_tls_nobody_is_told_anything() -> Result {
    let fixture = Fixture::with("plaintext", App::start(apps::echo)?, |mesh, service| {
        mesh.service(service.hop(Hop::Plaintext))
    })?;
    one_round_trip(&fixture)?;
    let anonymous = [
        ("source_principal", "unknown"),
        ("destination_principal", "unknown"),
    ];
    let at_server = but(fixture.labels(Reporter::Destination)?, UNTOLD_SOURCE);
    let at_server = but(at_server, anonymous);
    let at_server = but(
        at_server,
        [
            ("source_workload_namespace", "unknown"),
            ("connection_security_policy", "none"),
        ],
    );
    check(
        &fixture.mesh,
        SERVICE,
        Reporter::Destination,
        ONE,
        &at_server,
    )?;
    let at_client = but(fixture.labels(Reporter::Source)?, anonymous);
    let at_client = but(
        at_client,
        [
            ("destination_app", "unknown"),
            ("destination_version", "unknown"),
        ],
    );
    check(&fixture.mesh, SERVICE, Reporter::Source, ONE, &at_client)?;
    Ok(())
}

#[test]
fn off_counts_and_touches_nothing() -> Result {
    let off = json!({ "tcp_reporting_duration": "500ms", "peer_exchange": { "mode": "off" } });
    let fixture = Fixture::configured("off", App::start(apps::echo)?, off)?;
    let mut stream = fixture.connect()?;
    // Payload that looks like a frame is payload.
    stream.write_all(b"\x3d\x23\x04\x67\0\0\0\x01payload")?;
    expect(&mut stream, b"\x3d\x23\x04\x67\0\0\0\x01payload")?;
    drop(stream);
    let counts = Counts {
        opened: 1,
        closed: 1,
        received: 15,
        sent: 15,
    };
    let at_server = but(fixture.labels(Reporter::Destination)?, UNTOLD_SOURCE);
    check(
        &fixture.mesh,
        SERVICE,
        Reporter::Destination,
        counts,
        &at_server,
    )?;
    same_bytes(&fixture.mesh, SERVICE)
}
