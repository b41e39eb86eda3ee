//! One connection through all stages: a client's sidecar, from the configuration to the close.

use super::*;

/// The label set of the connection, as Envoy's stats have it.
const LABELS: &str = concat!(
    "reporter=.=source;.;",
    "source_workload=.=me;.;",
    "source_canonical_service=.=unknown;.;",
    "source_canonical_revision=.=latest;.;",
    "source_workload_namespace=.=claimed;.;",
    "source_principal=.=spiffe://cluster.local/ns/shop/sa/client;.;",
    "source_app=.=unknown;.;",
    "source_version=.=unknown;.;",
    "source_cluster=.=Kubernetes;.;",
    "destination_workload=.=peer;.;",
    "destination_canonical_service=.=unknown;.;",
    "destination_canonical_revision=.=latest;.;",
    "destination_workload_namespace=.=data;.;",
    "destination_principal=.=spiffe://cluster.local/ns/data/sa/server;.;",
    "destination_app=.=unknown;.;",
    "destination_version=.=unknown;.;",
    "destination_cluster=.=Kubernetes;.;",
    "destination_service=.=db.data.svc.cluster.local;.;",
    "destination_service_name=.=db;.;",
    "destination_service_namespace=.=data;.;",
    "request_protocol=.=tcp;.;",
    "response_flags=.=-;.;",
    "connection_security_policy=.=unknown;.;",
);

#[test]
fn one_connection_from_the_configuration_to_the_close() {
    // The host: attributes of an mTLS connection to a server that supports the exchange.
    let host = outbound();

    // Stage 1, config. The mode `auto` writes a frame where it is known to be read.
    let config = format!(
        r#"{{"peer_exchange": {{"mode": "auto", "advertise_alpn": true, "clusters": ["{CLUSTER}"]}}, "tcp_reporting_duration": "5s"}}"#
    );
    let plugin = Plugin::configure(&host, 1, config.as_bytes()).expect("a valid configuration");
    assert_eq!(host.tick_period.get(), Some(Duration::from_secs(5)));

    // A client connects. The upstream connection, which is not made yet, offers the ALPN.
    let connection = plugin.on_new_connection(2).expect("a counted connection");
    assert_eq!(host.offered(), ["istio-peer-exchange,istio"]);

    // Stage 2, exchange: writing. The upstream has a SPIFFE id and its cluster is listed, so this
    // workload's frame goes in front of the client's first bytes, and of no others.
    let mut this_workload = metadata("me");
    this_workload.insert("LABELS", Struct::default());
    let this_frame = Frame::new(this_workload, "my-id").encode();
    for (sent, forwarded) in [
        (&b"SELECT"[..], [&this_frame, &b"SELECT"[..]].concat()),
        (b" 1;", b" 1;".to_vec()),
    ] {
        host.data.replace(sent.to_vec());
        let flow = connection
            .borrow_mut()
            .on_data(Buffer::Downstream, sent.len(), false);
        assert_eq!(flow, Flow::Continue);
        assert_eq!(host.data.take(), forwarded);
    }

    // Stage 2, exchange: reading. The server's frame comes in two pieces. The first one looks like
    // a frame and is held; behind the second one the payload goes on.
    let answer = [peer_frame(), b"1 row".to_vec()].concat();
    let (first, second) = answer.split_at(20);
    for (received, forwarded) in [(first, &b""[..]), (second, b"1 row")] {
        host.data.replace(received.to_vec());
        connection
            .borrow_mut()
            .on_data(Buffer::Upstream, received.len(), false);
        assert_eq!(host.data.take(), forwarded);
    }

    // Stage 3, peer. The workload is the one in the frame; the namespace in the frame, `claimed`,
    // is not the one in the certificate, which wins. Other filters read the peer in the filter
    // state.
    let peer = host.properties.borrow().get("upstream_peer").cloned();
    let peer = Struct::decode(peer.expect("a peer").as_slice()).expect("a Struct");
    assert_eq!(peer.string("workload"), "peer");
    assert_eq!(peer.string("namespace"), "data");
    assert_eq!(peer.string("identity"), SERVER);

    // Stages 4 and 5, labels and series. The new series is defined with all of its stats at 0; the
    // counts reach the host at the tick.
    let stat = |metric: &str| host.metric(&[&format!("{LABELS}istio_tcp_{metric}")]);
    let stats = || {
        [
            "connections_opened_total",
            "connections_closed_total",
            "received_bytes_total",
            "sent_bytes_total",
        ]
        .map(stat)
    };
    assert_eq!(host.stats().len(), 4, "{:#?}", host.stats());
    assert_eq!(stats(), [0, 0, 0, 0]);
    plugin.on_tick();
    assert_eq!(stats(), [1, 0, 9, 5]);

    // All further bytes are payload: no hostcall.
    let hostcalls = host.hostcalls.get();
    connection
        .borrow_mut()
        .on_data(Buffer::Downstream, 100, false);
    connection
        .borrow_mut()
        .on_data(Buffer::Upstream, 1000, true);
    assert_eq!(host.hostcalls.get(), hostcalls);

    // The close reports the rest at once. The next tick reports the outcome of the exchange.
    connection.borrow_mut().on_close();
    assert_eq!(stats(), [1, 1, 109, 1005]);
    plugin.on_tick();
    let outcome = "reporter=.=source;.;result=.=exchanged;.;istio_tcp_peer_exchange_total";
    assert_eq!(host.metric(&[outcome]), 1);
    let mismatch = "reporter=.=source;.;istio_tcp_peer_mismatch_total";
    assert_eq!(host.metric(&[mismatch]), 1);
}
