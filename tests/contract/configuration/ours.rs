//! Keys that Istio does not have.

use mesh::Counts;
use mesh::labels::{CLOSED, OPENED, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use serde_json::json;

use super::{
    Reported, at_intervals, becomes, exchanged, flush_on_admin, set, tagged_db, tagged_web,
};
use crate::pair::{Pair, db, greet, web};
use crate::table::EXCHANGED;

/// Connections to ports that `ports` does not include pass uncounted.
#[test]
fn ports_chooses_connections_by_the_port_they_are_for() -> Result {
    // Every listener of a test is on a port that the system picks, from 1024 on.
    let unseen = Pair::start("ports", |mesh, service| {
        mesh.configuration(at_intervals(json!({ "ports": { "include": [1] } })))
            .service(service)
    })?;
    greet(unseen.connect()?)?;
    let seen = Pair::start("ports-all", |mesh, service| {
        mesh.configuration(at_intervals(json!({ "ports": { "exclude": [1] } })))
            .service(service)
    })?;
    seen.reports(&EXCHANGED.columns())?;
    for reporter in Reporter::BOTH {
        let metrics = unseen.sidecar(reporter)?.metrics()?;
        assert_eq!(Counts::reported(&metrics, &[]), Counts::default());
    }
    Ok(())
}

#[test]
fn max_label_length_cuts_values() -> Result {
    let configuration = json!({ "limits": { "max_label_length": 16 } });
    Reported::with("length", configuration)?.is_exchanged_but(|_, _, labels| {
        let principal = "spiffe://cluster";
        set(
            labels,
            [
                ("source_principal", principal),
                ("destination_principal", principal),
                ("destination_service", "db.data.svc.clus"),
            ],
        );
    })
}

/// Beyond the limit, labels from the peer's metadata are unknown, so no peer can create further
/// series.
// Shows: README.md, "under an `unknown` peer because the limit of 10 000 series is reached"
#[test]
fn max_series_bounds_the_series_that_peers_create() -> Result {
    let configuration = at_intervals(json!({
        "limits": { "max_series": 1 },
        "metrics": [{ "dimensions": { "note": "string(connection.id)" } }],
    }));
    let pair = Pair::start("series", |mesh, service| {
        mesh.configuration(configuration)
            .edit_client(tagged_web)
            .service(service.edit(tagged_db))
    })?;
    for _ in 0..4 {
        greet(pair.connect()?)?;
    }
    let unknown = [
        (Reporter::Source, "destination_workload"),
        (Reporter::Destination, "source_workload"),
    ];
    for (reporter, peer) in unknown {
        let envoy = pair.sidecar(reporter)?;
        let metrics = poll::until("three connections beyond the limit", LIMIT, || {
            let metrics = envoy.metrics()?;
            Ok(match metrics.sum("istio_tcp_series_overflow_total", &[]) {
                3.0 => Look::Found(metrics),
                other => Look::NotYet(other.to_string()),
            })
        })?;
        for metric in [OPENED, CLOSED] {
            assert_eq!(metrics.named(metric).count(), 2);
            let coarse = metrics.one(metric, &[(peer, "unknown"), ("note", "unknown")])?;
            assert_eq!(coarse.value, 3.0, "{coarse}");
        }
    }
    Ok(())
}

/// Metrics that Istio does not have, under the same labels.
#[test]
fn extended_metrics_count_open_connections_and_durations() -> Result {
    let configuration = at_intervals(json!({ "extended_metrics": true }));
    let pair = Pair::start("extended", |mesh, service| {
        mesh.configuration(configuration)
            .edit_client(|client| {
                web(client);
                flush_on_admin(client);
            })
            .service(service.edit(|server| {
                db(server);
                flush_on_admin(server);
            }))
    })?;
    let open = greet(pair.connect()?)?;
    drop(greet(pair.connect()?)?);
    for reporter in Reporter::BOTH {
        let labels = exchanged(reporter);
        let envoy = pair.sidecar(reporter)?;
        for (name, value) in [
            ("istio_tcp_connections_open", 1.0),
            ("istio_tcp_connections_terminated_total", 1.0),
            ("istio_tcp_connection_duration_milliseconds_count", 1.0),
            ("istio_tcp_exchange_duration_milliseconds_count", 2.0),
        ] {
            becomes(envoy, name, &labels, value)?;
        }
    }
    drop(open);
    for reporter in Reporter::BOTH {
        let labels = exchanged(reporter);
        becomes(
            pair.sidecar(reporter)?,
            "istio_tcp_connections_open",
            &labels,
            0.0,
        )?;
    }
    Ok(())
}
