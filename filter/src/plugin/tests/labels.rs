//! What the labels of a connection are made of.

use super::*;

const SERVICE: &str = "xds.cluster_metadata.filter_metadata.istio.services.0.";

#[test]
fn the_clusters_metadata_wins_over_its_name() {
    let host = outbound();
    host.set(&format!("{SERVICE}host"), "orders.shop.svc.cluster.local");
    host.set(&format!("{SERVICE}name"), "orders-api");
    host.set(&format!("{SERVICE}namespace"), "shop");
    Sim::mode(&host, "auto").close();
    let opened = host.metric(&[
        "destination_service=.=orders.shop.svc.cluster.local;",
        "destination_service_name=.=orders-api;",
        "destination_service_namespace=.=shop;",
        "istio_tcp_connections_opened_total",
    ]);
    assert_eq!(opened, 1, "{:?}", host.stats());
}

#[test]
fn a_cluster_for_no_service_in_particular_is_named_itself() {
    let host = outbound();
    host.set("xds.cluster_name", "PassthroughCluster");
    Sim::mode(&host, "auto").close();
    let opened = host.metric(&[
        "destination_service=.=unknown;",
        "destination_service_name=.=PassthroughCluster;",
        "istio_tcp_connections_opened_total",
    ]);
    assert_eq!(opened, 1, "{:?}", host.stats());
}

#[test]
fn a_host_with_the_older_attributes_tells_the_same() {
    let host = FakeHost::default();
    host.set("node", node(&[]).encode_to_vec());
    host.set("listener_direction", 2i64.to_le_bytes());
    host.set("cluster_name", "outbound|5432||db.data.svc.cluster.local");
    Sim::mode(&host, "auto").close();
    let opened = host.metric(&[
        "source_workload=.=me;",
        "destination_service=.=db.data.svc.cluster.local;",
        "istio_tcp_connections_opened_total",
    ]);
    assert_eq!(opened, 1, "{:?}", host.stats());
}

#[test]
fn of_this_workload_the_plain_app_label_wins() {
    let labels = [("app", "plain"), ("app.kubernetes.io/name", "qualified")];
    let mut mine = metadata("me");
    mine.insert(
        "LABELS",
        labels
            .map(|(name, value)| (name, Value::from(value)))
            .into_iter()
            .collect::<Struct>(),
    );
    let host = outbound();
    let node = envoy::Node {
        metadata: Some(mine),
        ..node(&[])
    };
    host.set("xds.node", node.encode_to_vec());
    Sim::mode(&host, "auto").close();
    assert_eq!(
        host.metric(&["source_app=.=plain;", "istio_tcp_connections_opened_total"]),
        1
    );
}

#[test]
fn beyond_the_limit_of_series_a_gateway_counts_nobody_by_name() {
    let host = inbound();
    let configuration = br#"{"reporter": "SERVER_GATEWAY"}"#;
    let plugin = Plugin::configure(&host, 1, configuration).expect("a good configuration");
    plugin.series.replace(SeriesTable::new(0));
    let connection = plugin.on_new_connection(2).expect("a connection");
    connection.borrow_mut().on_close(&plugin);
    let opened = host.metric(&[
        "reporter=.=waypoint;",
        "source_workload=.=unknown;",
        "source_principal=.=unknown;",
        "destination_workload=.=unknown;",
        "istio_tcp_connections_opened_total",
    ]);
    assert_eq!(opened, 1, "{:?}", host.stats());
}

#[test]
fn what_the_peer_says_of_its_platform_is_published() {
    let mut theirs = metadata("peer");
    let zone = [("gcp_zone", Value::from("a"))];
    theirs.insert("PLATFORM_METADATA", zone.into_iter().collect::<Struct>());
    let host = inbound();
    Sim::mode(&host, "auto").down(&Frame::new(theirs, "peer-id").encode());
    let raw = host.properties.borrow().get("downstream_peer").cloned();
    let message = Struct::decode(raw.expect("a published peer").as_slice()).expect("a Struct");
    let platform = message.child("platform_metadata");
    assert_eq!(
        platform.map(|platform| platform.string("gcp_zone")),
        Some("a")
    );
}

#[test]
fn a_peer_that_comes_back_and_its_replicas_are_counted_in_the_same_series() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    let stream = |pod| {
        [
            Frame::new(metadata("peer"), pod).encode(),
            b"query".to_vec(),
        ]
        .concat()
    };
    assert_eq!(sim.down(&stream("pod-1")), b"query");
    sim.close();
    let stats = host.stats().len();
    for (id, pod) in [(3, "pod-1"), (4, "pod-2"), (5, "pod-1")] {
        let stream = stream(pod);
        let connection = sim.plugin.on_new_connection(id).expect("a connection");
        host.data.replace(stream.clone());
        let mut connection = connection.borrow_mut();
        connection.on_data(&sim.plugin, Buffer::Downstream, stream.len(), false);
        assert_eq!(host.data.take(), b"query");
        connection.on_close(&sim.plugin);
    }
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (4, 4, 20, 0));
    assert_eq!(host.stats().len(), stats);
}
