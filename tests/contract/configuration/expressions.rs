//! CEL: the names of Istio 1.7 and the modern ones, on both reporters.

use mesh::labels::{OPENED, Reporter};
use mesh::testing::Result;
use serde_json::{Map, Value, json};

use super::{Reported, at_intervals, extract};
use crate::pair::{Pair, db, web};

/// An expression and its values at the client and at the server.
const NAMES: [(&str, &str, &str); 24] = [
    // This proxy.
    ("node.metadata['CLUSTER_ID']", "east", "west"),
    ("xds.node.metadata['CLUSTER_ID']", "east", "west"),
    ("node.metadata.LABELS['app']", "web", "db"),
    ("xds.node.metadata['LABELS'].app", "web", "db"),
    // The peer: upstream at the client, downstream at the server.
    ("upstream_peer.labels['app'].value", "db", "unknown"),
    ("downstream_peer.labels['app'].value", "unknown", "web"),
    ("upstream_peer.cluster_id", "west", "unknown"),
    ("downstream_peer.cluster_id", "unknown", "east"),
    ("upstream_peer.workload_name", "db-v1", "unknown"),
    ("downstream_peer.namespace", "unknown", "shop"),
    // Native filters do not see it for TCP at the client.
    ("filter_state.upstream_peer.labels['app']", "db", "unknown"),
    (
        "filter_state['downstream_peer'].workload",
        "unknown",
        "web-v2",
    ),
    ("filter_state.upstream_peer.service", "database", "unknown"),
    ("filter_state.downstream_peer.revision", "unknown", "r2"),
    // Where it goes.
    (
        "cluster_name",
        "outbound|7000||db.data.svc.cluster.local",
        "inbound|7000||",
    ),
    (
        "xds.cluster_name",
        "outbound|7000||db.data.svc.cluster.local",
        "inbound|7000||",
    ),
    (
        "cluster_metadata.filter_metadata['istio'].services[0].host",
        "db.data.svc.cluster.local",
        "db.data.svc.cluster.local",
    ),
    (
        "xds.cluster_metadata.filter_metadata.istio.services[0].namespace",
        "data",
        "data",
    ),
    (
        "xds.upstream_host_metadata.filter_metadata['istio'].workload",
        "db-v1_data_database_r1_west",
        "unknown",
    ),
    // Numbers and booleans.
    ("listener_direction", "2", "1"),
    ("xds.listener_direction == 1", "false", "true"),
    ("connection.mtls", "false", "true"),
    (
        "connection.requested_server_name",
        "unknown",
        "outbound_.7000_._.db.data.svc.cluster.local",
    ),
    // And more than a name.
    (
        "listener_direction == 2 ? 'to ' + upstream_peer.workload : 'from ' + downstream_peer.workload",
        "to db-v1",
        "from web-v2",
    ),
];

#[test]
fn both_languages_of_istio_on_both_reporters() -> Result {
    let dimensions: Map<String, Value> = NAMES
        .iter()
        .enumerate()
        .map(|(index, (text, ..))| (label(index), json!(text)))
        .collect();
    let configuration = at_intervals(json!({ "metrics": [{ "dimensions": dimensions }] }));
    let pair = Pair::start("expressions", |mesh, service| {
        let client = |bootstrap: &mut Value| {
            web(bootstrap);
            extract_all(bootstrap);
        };
        let server = |bootstrap: &mut Value| {
            db(bootstrap);
            extract_all(bootstrap);
        };
        mesh.configuration(configuration)
            .edit_client(client)
            .service(service.edit(server))
    })?;
    let reported = Reported::of(pair)?;
    let source = reported.labels(Reporter::Source, OPENED)?;
    let destination = reported.labels(Reporter::Destination, OPENED)?;
    for (index, (text, at_client, at_server)) in NAMES.iter().enumerate() {
        let label = label(index);
        assert_eq!(
            [&source[&label], &destination[&label]],
            [at_client, at_server],
            "{text}"
        );
    }
    Ok(())
}

fn label(index: usize) -> String {
    format!("expression_{index:02}")
}

fn extract_all(bootstrap: &mut Value) {
    let labels: Vec<_> = (0..NAMES.len()).map(label).collect();
    extract(
        bootstrap,
        &labels.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}
