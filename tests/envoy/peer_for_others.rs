//! The peer that the filter publishes, in access logs and in network RBAC:
//! `envoy-config/peer-in-rbac-and-access-log.yaml`.

use mesh::Workload;
use mesh::apps::{self, App};
use mesh::bootstrap::Bootstrap;
use mesh::envoy::Envoy;
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Counts, Filter};
use serde_json::{Value, json};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, SERVICE, round_trip};

const EXAMPLE: &str = include_str!("../../envoy-config/peer-in-rbac-and-access-log.yaml");

/// A part of the example, or the error if it is no YAML, which Envoy rejects then.
fn example(part: &str) -> Value {
    let document = Bootstrap::parse(EXAMPLE).map(|example| example.document()[part].clone());
    document.unwrap_or_else(|error| json!(error.to_string()))
}

/// Gives every tcp_proxy, which is the last filter, an access log.
fn log(bootstrap: &mut Value, part: &str) {
    let proxies = chains(bootstrap).filter_map(|filters| filters.last_mut());
    for config in proxies.filter_map(|proxy| proxy.get_mut("typed_config")) {
        config["access_log"] = example(part);
    }
}

fn logging_server(bootstrap: &mut Value) {
    log(bootstrap, "server_access_log");
}

fn logging_client(bootstrap: &mut Value) {
    log(bootstrap, "client_access_log");
}

/// A server's sidecar as the example has it.
fn guarded(bootstrap: &mut Value) {
    logging_server(bootstrap);
    for filters in chains(bootstrap) {
        filters.insert(filters.len() - 1, example("server_rbac"));
    }
}

/// The first line that the Envoy's access log has with this member.
fn logged(envoy: &Envoy, member: &str) -> Result<Value> {
    let what = format!("an access log line of {} with {member}", envoy.name());
    let entry = poll::until(&what, LIMIT, || {
        let log = envoy.log_text()?;
        // Envoy's own log shares the file, and a line of it may begin in the middle of one.
        let lines = log.lines().filter_map(|line| line.get(line.find('{')?..));
        let entries = lines.filter_map(|line| {
            let mut values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
            values.next()?.ok()
        });
        let mut entries = entries.filter(|entry| entry.get(member).is_some());
        Ok(match entries.next() {
            Some(entry) => Look::Found(entry),
            None => Look::NotYet(format!("{} bytes of log", log.len())),
        })
    })?;
    Ok(entry)
}

// Shows: filter/docs/peer-exchange.md, "Other filters and access logs can read the peer"
#[test]
fn access_logs_of_both_sides_name_the_other() -> Result {
    let fixture = Fixture::with("peer-in-log", App::start(apps::echo)?, |mesh, service| {
        mesh.edit_client(logging_client)
            .service(service.edit(logging_server))
    })?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    let (client, server) = (Workload::ratings_v2(), Workload::bookinfo(SERVICE, "v1"));
    let at_server = logged(fixture.mesh.server(SERVICE)?, "client_workload")?;
    assert_eq!(at_server["client_workload"], json!(client.name));
    assert_eq!(at_server["client_namespace"], json!(client.namespace));
    assert_eq!(at_server["client_app"], json!(client.app));
    assert_eq!(at_server["client_identity"], json!(client.principal()));
    let at_client = logged(fixture.mesh.client(), "server_workload")?;
    assert_eq!(at_client["server_workload"], json!(server.name));
    assert_eq!(at_client["server_namespace"], json!(server.namespace));
    assert_eq!(at_client["server_app"], json!(server.app));
    assert_eq!(at_client["server_identity"], json!(server.principal()));
    Ok(())
}

#[test]
fn a_peer_without_metadata_has_its_certificates_identity_in_the_log() -> Result {
    let fixture = Fixture::with(
        "no-peer-in-log",
        App::start(apps::echo)?,
        |mesh, service| {
            mesh.client_filter(Filter::Absent)
                .service(service.edit(logging_server))
        },
    )?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    let entry = logged(fixture.mesh.server(SERVICE)?, "client_workload")?;
    assert_eq!(entry["client_workload"], Value::Null);
    assert_eq!(
        entry["client_identity"],
        json!(Workload::ratings_v2().principal())
    );
    Ok(())
}

fn reviews_v1() -> Workload {
    Workload::bookinfo("reviews", "v1")
}

/// A mesh whose service is guarded.
fn behind_the_guard(name: &str, client: Workload, app: App) -> Result<Fixture> {
    Fixture::with(name, app, |mesh, service| {
        mesh.client(client).service(service.edit(guarded))
    })
}

/// The numbers of allowed and denied connections in Envoy's stats.
fn decisions(fixture: &Fixture) -> Result<String> {
    let server = fixture.mesh.server(SERVICE)?;
    Ok(server.get("/stats?filter=peers.rbac.(allowed|denied)")?)
}

const ALLOWED: &str = "peers.rbac.allowed: 1\npeers.rbac.denied: 0\n";
const DENIED: &str = "peers.rbac.allowed: 0\npeers.rbac.denied: 1\n";

// Shows: filter/docs/peer-exchange.md, "and so can network RBAC"
#[test]
fn rbac_allows_the_workload_in_its_rule() -> Result {
    let fixture = behind_the_guard("allowed", Workload::ratings_v2(), App::start(apps::echo)?)?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    let counts = Counts {
        opened: 1,
        closed: 1,
        received: 7,
        sent: 7,
    };
    fixture.check_both(counts)?;
    assert_eq!(decisions(&fixture)?, ALLOWED);
    Ok(())
}

#[test]
fn rbac_denies_another_workload_and_it_is_reported_by_name() -> Result {
    let fixture = behind_the_guard("denied", reviews_v1(), App::start(apps::echo)?)?;
    // Closed or reset, whichever the client's sidecar makes of it.
    let answer = round_trip(fixture.connect()?, b"payload").unwrap_or_default();
    assert!(answer.is_empty(), "the application answered {answer:?}");

    let entry = logged(fixture.mesh.server(SERVICE)?, "client_workload")?;
    assert_eq!(entry["client_workload"], json!("reviews-v1"));
    let reason = json!("rbac_access_denied_matched_policy[none]");
    assert_eq!(entry["termination"], reason);
    assert_eq!(decisions(&fixture)?, DENIED);

    let tap = fixture.mesh.tap(Reporter::Destination, SERVICE)?.tally();
    assert_eq!((tap.opened(), tap.received()), (1, 0), "{tap:?}");
    let labels = fixture.labels(Reporter::Destination)?;
    assert_eq!(labels["source_workload"], "reviews-v1");
    let metrics = fixture.mesh.server(SERVICE)?.metrics()?;
    let closed = metrics.one(
        "istio_tcp_connections_closed_total",
        &[("reporter", "destination")],
    )?;
    assert_eq!((&closed.labels, closed.value), (&labels, 1.0));
    Ok(())
}

#[test]
fn rbac_denies_a_peer_without_metadata() -> Result {
    let fixture = Fixture::with("anonymous", App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(Filter::Absent)
            .service(service.edit(guarded))
    })?;
    let answer = round_trip(fixture.connect()?, b"payload").unwrap_or_default();
    assert!(answer.is_empty(), "the application answered {answer:?}");
    let entry = logged(fixture.mesh.server(SERVICE)?, "client_workload")?;
    assert_eq!(entry["client_workload"], Value::Null);
    assert_eq!(decisions(&fixture)?, DENIED);
    Ok(())
}
