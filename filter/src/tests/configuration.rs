//! The effects of the configuration on a connection.

use super::*;

fn stats<'a>(host: &'a FakeHost, name: &'a str) -> Vec<String> {
    let stats = host.stats();
    stats
        .into_iter()
        .filter(|stat| stat.ends_with(name))
        .collect()
}

#[test]
fn excluded_ports_have_no_connection_context() {
    let host = outbound();
    host.set("destination.port", 9080i64.to_le_bytes());
    for (config, looks) in [
        (r#"{"ports": {"include": [9080]}}"#, true),
        (r#"{"ports": {"include": [27017]}}"#, false),
        (r#"{"ports": {"exclude": [9080]}}"#, false),
        (r#"{"ports": {"exclude": [27017]}}"#, true),
    ] {
        let plugin = Plugin::configure(&host, 1, config.as_bytes()).expect(config);
        assert_eq!(plugin.on_new_connection(2).is_some(), looks, "{config}");
    }
    assert_eq!(host.stats(), [""; 0]);
}

#[test]
fn every_stat_has_the_configured_prefix_and_separators() {
    let host = outbound();
    let sim = Sim::new(
        &host,
        r#"{"stat_prefix": "acme", "field_separator": "||", "value_separator": "~"}"#,
    );
    sim.down(b"query");
    sim.up(b"answer");
    sim.close();
    sim.plugin.on_tick();
    assert!(
        host.stats()
            .iter()
            .all(|stat| stat.starts_with("reporter~source||"))
    );
    assert_eq!(host.metric(&["acme_tcp_sent_bytes_total"]), 6);
    assert_eq!(host.metric(&["||acme_tcp_peer_exchange_total"]), 1);
    assert_eq!(host.metric(&["istio"]), 0);
}

#[test]
fn a_condition_reads_attributes_of_the_connection() {
    let host = outbound();
    host.set("connection.mtls", [1]);
    let config = r#"{"metrics": [
        {"match": "connection.mtls", "dimensions": {"role": "upstream_peer.labels['role'].value"}},
        {"name": "tcp_sent_bytes_total", "match": "connection.mtls", "drop": true}
    ]}"#;
    host.set("upstream_peer.labels.role", "primary");
    let sim = Sim::new(&host, config);
    sim.down(b"query");
    sim.up(b"answer");
    sim.close();
    assert_eq!(
        host.metric(&["role=.=primary;.;istio_tcp_received_bytes_total"]),
        5
    );
    assert_eq!(stats(&host, "istio_tcp_sent_bytes_total"), [""; 0]);
}

#[test]
fn at_a_tick_only_paths_have_a_value() {
    let host = outbound();
    host.set("xds.cluster_name", "c");
    host.set("'a'+'b'", "ab");
    let config =
        r#"{"metrics": [{"dimensions": {"path": "cluster_name", "other": "connection.id == 1"}}]}"#;
    let sim = Sim::new(&host, config);
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    assert_eq!(
        host.metric(&["other=.=unknown;.;path=.=c;.;istio_tcp_connections_opened_total"]),
        1
    );
    let calls = host.foreign.borrow();
    let evaluated = calls.iter().filter(|(name, _)| name == "expr_evaluate");
    assert_eq!(evaluated.count(), 1, "a path is read as a property");
}

#[test]
fn an_expression_separates_connections_of_one_peer() {
    let host = outbound();
    let config = r#"{"metrics": [{"dimensions": {"note": "string(connection.id)"}}]}"#;
    let mut sim = Sim::new(&host, config);
    // One value is longer than those that are kept with the peer.
    let long = "long".repeat(1000);
    for (id, note) in [(3, "first"), (4, "second"), (5, &long), (6, "third")] {
        host.set("string(connection.id)", note);
        let note = note.get(..512).unwrap_or(note);
        sim.down(b"query");
        sim.up(b"answer");
        sim.close();
        assert_eq!(sim.counts(&[&format!("note=.={note};.;")]), (1, 1, 5, 6));
        sim.connection = sim.plugin.on_new_connection(id).expect("a counted port");
    }
}

#[test]
fn a_custom_metric_counts_each_connection_once() {
    let host = outbound();
    host.set("2", 2i64.to_le_bytes());
    host.set("-1", (-1i64).to_le_bytes());
    let config = r#"{"definitions": [
        {"name": "counted", "value": "2"},
        {"name": "level", "value": "2", "type": "GAUGE"},
        {"name": "size", "value": "2", "type": "HISTOGRAM"},
        {"name": "nothing", "value": "connection.id"},
        {"name": "negative", "value": "-1"}
    ], "metrics": [{"name": "counted", "dimensions": {"app": "cluster_name"}}]}"#;
    for _ in 0..2 {
        let sim = Sim::new(&host, config);
        sim.down(b"query");
        sim.up(b"answer");
        sim.up(b"answer");
        sim.plugin.on_tick();
        sim.close();
    }
    assert_eq!(host.metric(&["istio_counted"]), 4);
    assert_eq!(host.metric(&["istio_nothing"]), 0);
    assert_eq!(host.metric(&["istio_negative"]), 0);
    assert_eq!(
        stats(&host, "istio_level").first().map(String::as_str),
        Some("istio_level")
    );
    let app = "app=.=outbound|5432||db.data.svc.cluster.local;.;istio_counted";
    assert_eq!(
        stats(&host, "istio_counted").first().map(String::as_str),
        Some(app)
    );
}

#[test]
fn extended_metrics_have_open_connections_durations_and_flags() {
    let host = outbound();
    host.now.set(Duration::from_secs(100));
    let sim = Sim::new(&host, r#"{"extended_metrics": true}"#);
    sim.down(b"query");
    host.now.set(Duration::from_millis(100_250));
    sim.up(&[peer_frame(), b"answer".to_vec()].concat());
    sim.plugin.on_tick();
    let open = || {
        let opened = host.metric(&["istio_tcp_connections_opened_total"]);
        host.metric(&["istio_tcp_connections_open"]) - opened
    };
    assert_eq!(open(), 1);
    assert_eq!(
        host.metric(&["istio_tcp_exchange_duration_milliseconds"]),
        250
    );
    host.now.set(Duration::from_secs(130));
    host.set("response.flags", 0x40i64.to_le_bytes());
    sim.close();
    assert_eq!(open(), 0);
    assert_eq!(
        host.metric(&["istio_tcp_connection_duration_milliseconds"]),
        30_000
    );
    assert_eq!(
        host.metric(&[
            "response_flags=.=UC;.;",
            "istio_tcp_connections_terminated_total"
        ]),
        1
    );
    assert_eq!(
        host.metric(&[
            "response_flags=.=-;.;",
            "istio_tcp_connections_closed_total"
        ]),
        1
    );
}

#[test]
fn the_limits_are_the_configured_ones() {
    let host = inbound();
    let sim = Sim::new(
        &host,
        r#"{"limits": {"max_frame_bytes": 8, "max_label_length": 16}}"#,
    );
    sim.down(&peer_frame());
    assert!(host.closed.get());
    assert_eq!(sim.outcome("too_large"), 1);
    sim.close();
    assert_eq!(sim.counts(&["source_principal=.=spiffe://cluster;.;"]).0, 1);
}

/// Each error has the place, the reason and the nearest name that exists.
#[test]
fn an_error_in_an_expression_has_its_place() {
    let host = outbound();
    let peer = |name: &str, nearest: &str| {
        format!("has the peer field {name:?}, which does not exist; did you mean {nearest:?}?")
    };
    let attribute = |name: &str, nearest: &str| {
        format!(
            "has the name {name:?}, which does not exist; did you mean {nearest:?}? (For another \
             filter's property write filter_state['{name}'])"
        )
    };
    for (expression, reason) in [
        ("upstream_peer.labls['role']", peer("labls", "labels")),
        (
            "filter_state.upstream_peer.workloadname",
            peer("workloadname", "workload_name"),
        ),
        (
            "filter_state[\"wasm.downstream_peer\"].clusterid",
            peer("clusterid", "cluster_id"),
        ),
        (
            "has(upstream_peer.instance_ip)",
            peer("instance_ip", "instance_ips"),
        ),
        ("has(upstream_peer.lables['app'])", peer("lables", "labels")),
        ("nod.metadata['A']", attribute("nod", "node")),
        (
            "upsteam_peer.app",
            attribute("upsteam_peer", "upstream_peer"),
        ),
        ("has(requst.host)", attribute("requst", "request")),
        ("clustername", attribute("clustername", "cluster_name")),
        (
            "listner_direction == 1",
            attribute("listner_direction", "listener_direction"),
        ),
        ("'a", "has a string that does not end".to_owned()),
    ] {
        for (config, place) in [
            (
                serde_json::json!({ "metrics": [{}, { "dimensions": { "role": expression } }] }),
                "metrics[1].dimensions.role",
            ),
            (
                serde_json::json!({ "metrics": [{ "match": expression }] }),
                "metrics[0].match",
            ),
            (
                serde_json::json!({ "definitions": [{ "name": "mine", "value": expression }] }),
                "definitions[0].value",
            ),
        ] {
            let config = config.to_string();
            let fault = Plugin::configure(&host, 1, config.as_bytes()).map(|_| ());
            assert_eq!(
                fault.expect_err(expression).to_string(),
                format!("{place}: the expression {expression:?} {reason}")
            );
            let of_http =
                config.replace("{\"dimensions", "{\"name\":\"requests_total\",\"dimensions");
            if of_http != config {
                Plugin::configure(&host, 1, of_http.as_bytes()).expect("an entry that is ignored");
            }
        }
    }
}

#[test]
fn values_that_are_neither_text_nor_number_are_unknown_and_counted() {
    let host = outbound();
    host.set(
        "upstream_peer.labels",
        [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, b'a', 0, b'b', 0],
    );
    host.set("xds.cluster_name", "c");
    let config = r#"{"metrics": [{"dimensions": {"role": "upstream_peer.labels", "zone": "cluster_name"}}]}"#;
    for _ in 0..2 {
        let sim = Sim::new(&host, config);
        sim.down(b"query");
        sim.close();
        sim.plugin.on_tick();
    }
    let counted = "role=.=unknown;.;zone=.=c;.;istio_tcp_connections_opened_total";
    assert_eq!(host.metric(&[counted]), 2);
    assert_eq!(
        host.metric(&["reporter=.=source;.;istio_tcp_unusable_values_total"]),
        2
    );
}
