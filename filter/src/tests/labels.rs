//! The sources of a connection's labels.

use super::*;

const SERVICE: &str = "xds.cluster_metadata.filter_metadata.istio.services.0.";

#[test]
fn the_clusters_metadata_overrides_its_name() {
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
fn a_cluster_without_a_service_is_the_service_name() {
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

/// A connection to this cluster, which has no metadata, is opened with all of `labels`.
fn opens_with(host: &FakeHost, cluster: &str, labels: &[&str]) {
    host.set("xds.cluster_name", cluster);
    Sim::mode(host, "auto").close();
    let parts = [labels, &["istio_tcp_connections_opened_total"]].concat();
    assert_eq!(host.metric(&parts), 1, "{labels:?}: {:?}", host.stats());
}

#[test]
fn a_cluster_without_a_host_has_its_name_as_service() {
    opens_with(
        &outbound(),
        "tcproute/default/mongodb/rule/-1",
        &[
            "destination_service=.=tcproute/default/mongodb/rule/-1;",
            "destination_service_name=.=tcproute/default/mongodb/rule/-1;",
            "destination_service_namespace=.=data;",
        ],
    );
    opens_with(
        &outbound(),
        "a|b,c;d",
        &["destination_service=.=a_b_c_d;", "service_name=.=a_b_c_d;"],
    );
}

#[test]
fn a_servers_canonical_service_overrides_its_clusters_name() {
    let canonical = |host: &FakeHost| {
        let mut mine = metadata("me");
        let labels = [("service.istio.io/canonical-name", Value::from("db"))];
        mine.insert("LABELS", labels.into_iter().collect::<Struct>());
        let node = envoy::Node {
            metadata: Some(mine),
            ..node(&[])
        };
        host.set("xds.node", node.encode_to_vec());
    };
    for (cluster, named, anonymous) in [
        ("local_app", "db", "local_app"),
        ("inbound|27017||", "db", "unknown"),
        ("inbound|27017|tcp|mongodb", "mongodb", "mongodb"),
    ] {
        let host = inbound();
        opens_with(
            &host,
            cluster,
            &[&format!("destination_service=.={anonymous};")],
        );
        let host = inbound();
        canonical(&host);
        opens_with(
            &host,
            cluster,
            &[
                &format!("destination_service=.={named};"),
                &format!("destination_service_name=.={named};"),
            ],
        );
    }
}

#[test]
fn consuls_data_centre_is_the_cluster_of_a_server_without_metadata() {
    const CLUSTER: &str = "v2.db.shop.dc1.internal.0d1c.consul";
    let labels = [
        "destination_service=.=v2.db.shop.dc1.internal.0d1c.consul;",
        "destination_service_name=.=db;",
        "destination_service_namespace=.=shop;",
    ];
    opens_with(
        &outbound(),
        CLUSTER,
        &[&labels[..], &["destination_cluster=.=dc1;"]].concat(),
    );
    let with_endpoint = outbound();
    with_endpoint.set(
        "xds.upstream_host_metadata.filter_metadata.istio.workload",
        "w;n;s;r;east",
    );
    opens_with(
        &with_endpoint,
        CLUSTER,
        &[&labels[..], &["destination_cluster=.=east;"]].concat(),
    );
}

#[test]
fn flags_are_joined_as_configured_in_every_metric() {
    for (configuration, flags) in [
        (r#"{"extended_metrics": true}"#, "UF,URX"),
        (
            r#"{"extended_metrics": true, "response_flags_separator": "-"}"#,
            "UF-URX",
        ),
    ] {
        let host = outbound();
        host.set("response.flags", 0x8020i64.to_le_bytes());
        Sim::new(&host, configuration).close();
        let label = format!("response_flags=.={flags};.;");
        for metric in ["connections_opened_total", "connections_terminated_total"] {
            assert_eq!(host.metric(&[&label, metric]), 1, "{:?}", host.stats());
        }
    }
}

#[test]
fn older_attribute_names_give_the_same_labels() {
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
fn the_plain_app_label_of_this_workload_has_priority() {
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

/// A virtual machine may have no namespace in its metadata.
#[test]
fn the_namespace_of_this_workload_defaults_to_that_of_its_certificate() {
    let host = outbound();
    let mine = Struct::from_iter([("WORKLOAD_NAME", Value::from("machine"))]);
    let node = envoy::Node {
        metadata: Some(mine),
        ..node(&[])
    };
    host.set("xds.node", node.encode_to_vec());
    let sim = Sim::mode(&host, "auto");
    sim.close();
    let labels = [
        "source_workload=.=machine;",
        "source_workload_namespace=.=shop;",
    ];
    assert_eq!(sim.counts(&labels).0, 1);
}

#[test]
fn beyond_max_series_a_gateway_counts_unknown_workloads() {
    let host = inbound();
    let configuration = br#"{"reporter": "SERVER_GATEWAY"}"#;
    let plugin = Plugin::configure(&host, 1, configuration).expect("a good configuration");
    plugin.shared.series.replace(SeriesTable::new(0));
    let connection = plugin.on_new_connection(2).expect("a connection");
    connection.borrow_mut().on_close();
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
fn the_platform_metadata_of_the_peer_is_published() {
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
fn new_connections_and_replicas_of_a_peer_share_its_series() {
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
        connection.on_data(Buffer::Downstream, stream.len(), false);
        assert_eq!(host.data.take(), b"query");
        connection.on_close();
    }
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (4, 4, 20, 0));
    assert_eq!(host.stats().len(), stats);
}
