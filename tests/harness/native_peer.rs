//! Telemetry only: the peer is the one that a native exchange filter stores in filter state.

use std::collections::BTreeMap;

use host_harness::{Sidecar, SidecarBuilder, StatsTag, Tls, UpstreamHost, Value};
use serde_json::json;

use crate::sidecars::{CLIENT, SERVER, counts, inbound, labels, module, outbound, tags};

const OFF: &str = r#"{ "peer_exchange": { "mode": "off" } }"#;

/// The filter state of Envoy's `metadata_exchange`: a Struct whose members the host can read.
fn peer(name: &str, identity: &str) -> Value {
    let members = [
        ("workload", name),
        ("namespace", "elsewhere"),
        ("service", "canonical"),
        ("revision", "v7"),
        ("app", "the-app"),
        ("version", "v8"),
        ("cluster", "far"),
        ("identity", identity),
    ];
    Value::map(members.map(|(name, value)| (name, Value::from(value))))
}

fn one_connection(sidecar: SidecarBuilder) -> Sidecar {
    one_connection_of(sidecar.plugin_config(OFF))
}

fn one_connection_of(sidecar: SidecarBuilder) -> Sidecar {
    let sidecar = sidecar.start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("query");
    connection.server.write("answer");
    connection.client.end();
    connection.server.end();
    assert_eq!(connection.server.received(), b"query");
    assert_eq!(connection.client.received(), b"answer");
    assert_eq!(counts(&sidecar), [1, 1, 5, 6]);
    sidecar
}

/// The labels of this end, without their prefix.
fn end(sidecar: &Sidecar, end: &str) -> BTreeMap<String, String> {
    let of_the_end = |(name, value): (String, String)| {
        let name = name.strip_prefix(end)?.strip_prefix('_')?.to_owned();
        (!name.starts_with("service")).then_some((name, value))
    };
    labels(sidecar).into_iter().filter_map(of_the_end).collect()
}

fn expected(name: &str, identity: &str) -> BTreeMap<String, String> {
    let labels = [
        ("workload", name),
        ("workload_namespace", "elsewhere"),
        ("canonical_service", "canonical"),
        ("canonical_revision", "v7"),
        ("app", "the-app"),
        ("version", "v8"),
        ("cluster", "far"),
        ("principal", identity),
    ];
    labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// A client's identity is its certificate's, not the filter state's.
#[test]
fn inbound_the_peer_is_in_the_connections_filter_state() {
    let claimed = "spiffe://td/ns/elsewhere/sa/x";
    let proven = "spiffe://td/ns/elsewhere/sa/caller";
    let module = module();
    let sidecar = || inbound(&module).filter_state("downstream_peer", peer("caller", claimed));
    let plain = one_connection(sidecar());
    assert_eq!(end(&plain, "source"), expected("caller", "unknown"));
    let mutual = one_connection(sidecar().downstream_tls(Tls::mutual(SERVER, proven)));
    assert_eq!(end(&mutual, "source"), expected("caller", proven));
}

#[test]
fn outbound_the_peer_is_in_the_upstream_connections_filter_state() {
    let identity = "spiffe://td/ns/elsewhere/sa/x";
    // Without the endpoint's metadata, which takes precedence.
    let sidecar = outbound(&module())
        .upstream_host(UpstreamHost::new("10.0.0.2:27017"))
        .upstream_filter_state("upstream_peer", peer("callee", identity));
    assert_eq!(
        end(&one_connection(sidecar), "destination"),
        expected("callee", identity)
    );
}

/// The value of `role` of a connection whose peer is read from filter state.
fn role(sidecar: SidecarBuilder, expression: &str) -> String {
    let configuration = json!({
        "peer_exchange": { "mode": "off" },
        "metrics": [{ "dimensions": { "role": expression } }],
    });
    let sidecar = sidecar
        .stats_tags(StatsTag::labels(tags().chain(["role"])))
        .plugin_config(configuration.to_string());
    let sidecar = one_connection_of(sidecar);
    labels(&sidecar).remove("role").unwrap_or_default()
}

/// Istio 1.25 and later keep the labels that `additional_labels` names beside the fixed fields.
#[test]
fn its_additional_labels_and_fields_are_those_of_the_peer() {
    let long = "x".repeat(200);
    let with_labels = || {
        let Value::Map(mut fields) = peer("caller", "") else {
            panic!("a map")
        };
        let labels = [("role", "client"), ("team", long.as_str())];
        fields.insert(
            "labels".to_owned(),
            Value::map(labels.map(|(name, value)| (name, value.into()))),
        );
        fields.insert("type".to_owned(), "deployment".into());
        fields.insert("name".to_owned(), "caller-0".into());
        Value::Map(fields)
    };
    let module = module();
    for (expression, value) in [
        ("filter_state.downstream_peer.labels['role']", "client"),
        ("filter_state[\"downstream_peer\"].labels.role", "client"),
        ("downstream_peer.labels['role'].value", "client"),
        ("downstream_peer.labels['team']", &long),
        ("downstream_peer.labels['app']", "the-app"),
        ("downstream_peer.labels['other']", "unknown"),
        ("has(downstream_peer.labels['role']) ? 'yes' : 'no'", "yes"),
        ("filter_state.downstream_peer.type", "deployment"),
        ("downstream_peer.name", "caller-0"),
        ("downstream_peer.labels", "unknown"),
    ] {
        let sidecar = inbound(&module).filter_state("downstream_peer", with_labels());
        assert_eq!(role(sidecar, expression), value, "{expression}");
    }
    let upstream = outbound(&module).upstream_filter_state("upstream_peer", with_labels());
    assert_eq!(role(upstream, "upstream_peer.labels['role']"), "client");
}

#[test]
fn the_other_directions_peer_is_ignored() {
    let strangers = |sidecar: SidecarBuilder| {
        sidecar
            .filter_state("upstream_peer", peer("stranger", CLIENT))
            .upstream_filter_state("downstream_peer", peer("stranger", SERVER))
    };
    let module = module();
    let inbound = one_connection(strangers(inbound(&module)));
    assert_eq!(end(&inbound, "source")["workload"], "unknown");
    let outbound = one_connection(strangers(outbound(&module)));
    assert_eq!(end(&outbound, "destination")["workload"], "mongodb-v1");
}
