//! The peer exchange and its labels.

use host_harness::{Profile, Rig, Tls};
use mesh::Workload;
use mesh::labels::{self, OPENED, Reporter};

use crate::sidecars::{
    self, CLIENT, INTERVAL, SERVER, counts, inbound, module, outbound, outcomes, rig,
};

// Shows: README.md, "The first four metrics carry Istio's 23 labels"
#[test]
fn both_sides_carry_all_23_labels() {
    let rig = rig();
    let connection = rig.connect();
    connection.client.write(b"query");
    connection.server.write(b"answer");
    rig.advance(INTERVAL);
    let (client, server) = (Workload::ratings_v2(), Workload::bookinfo("mongodb", "v1"));
    for (reporter, sidecar) in [
        (Reporter::Source, &rig.outbound),
        (Reporter::Destination, &rig.inbound),
    ] {
        assert_eq!(
            sidecars::labels(sidecar),
            labels::exchanged(reporter, &client, &server)
        );
    }
}

#[test]
fn legacy_attributes_give_the_same_labels() {
    let module = module();
    let rig = Rig::builder(
        outbound(&module).profile(Profile::Legacy),
        inbound(&module).profile(Profile::Legacy),
    );
    let rig = rig.mtls(CLIENT, SERVER).start().unwrap();
    let connection = rig.connect();
    connection.client.write(b"query");
    connection.server.write(b"answer");
    rig.advance(INTERVAL);
    let (client, server) = (Workload::ratings_v2(), Workload::bookinfo("mongodb", "v1"));
    assert_eq!(
        sidecars::labels(&rig.inbound),
        labels::exchanged(Reporter::Destination, &client, &server)
    );
    assert_eq!(
        sidecars::labels(&rig.outbound),
        labels::exchanged(Reporter::Source, &client, &server)
    );
}

// Shows: filter/docs/peer-exchange.md, "The default is therefore `false`."
#[test]
fn the_alpn_is_offered_by_the_filter_only_if_it_is_configured() {
    assert_eq!(rig().connect().offered_alpn(), [""; 0]);
    let module = module();
    let advertising =
        outbound(&module).plugin_config(r#"{"peer_exchange": {"advertise_alpn": true}}"#);
    let sidecar = advertising
        .upstream_tls(Tls::mutual(CLIENT, SERVER))
        .start()
        .unwrap();
    assert_eq!(
        sidecar.connect().offered_alpn(),
        ["istio-peer-exchange", "istio"]
    );
}

#[test]
fn a_greeting_passes_before_the_handshake_and_the_labels_wait() {
    let rig = rig();
    let connection = rig.connect_greeted(b"220 ready\r\n");
    assert_eq!(connection.client.read(), b"220 ready\r\n");
    connection.client.write(b"EHLO\r\n");
    assert_eq!(connection.server.read(), b"EHLO\r\n");
    rig.advance(INTERVAL);
    let expected = labels::exchanged(
        Reporter::Destination,
        &Workload::ratings_v2(),
        &Workload::bookinfo("mongodb", "v1"),
    );
    assert_eq!(sidecars::labels(&rig.inbound), expected);
    assert_eq!(counts(&rig.inbound), [1, 0, 6, 11]);
    assert_eq!(outcomes(&rig.outbound, "absent"), 1);
}

#[test]
fn a_client_without_bytes_has_its_labels_at_the_end() {
    let rig = rig();
    let connection = rig.connect();
    connection.client.end();
    assert!(connection.server.saw_end());
    assert_eq!(connection.server.received(), b"");
    connection.server.end();
    rig.advance(INTERVAL);
    let workloads = [
        ("source_workload", "ratings-v2"),
        ("destination_workload", "mongodb-v1"),
    ];
    for sidecar in [&rig.outbound, &rig.inbound] {
        assert_eq!(sidecar.metric(OPENED).labels(workloads).value(), 1);
        assert_eq!(counts(sidecar), [1, 1, 0, 0]);
    }
}

#[test]
fn a_frame_over_the_cap_closes_the_connection() {
    let module = module();
    let sidecar = inbound(&module)
        .downstream_tls(Tls::mutual(SERVER, CLIENT))
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection
        .client
        .write(b"\x3d\x23\x04\x67\x00\x01\x00\x01payload");
    assert_eq!(connection.server.received(), b"");
    assert!(connection.client.saw_close());
    sidecar.advance(INTERVAL);
    assert_eq!(outcomes(&sidecar, "too_large"), 1);
    assert_eq!(counts(&sidecar), [1, 1, 0, 0]);
    assert!(!sidecar.is_failed());
}

#[test]
fn a_proxy_with_native_exchange_writes_no_frame() {
    let module = module();
    let native = sidecars::native_node();
    let sidecar = outbound(&module)
        .node(native)
        .upstream_tls(Tls::mutual(CLIENT, SERVER))
        .start()
        .unwrap();
    let connection = sidecar.connect();
    assert_eq!(connection.offered_alpn(), [""; 0]);
    connection.client.write(b"query");
    assert_eq!(connection.server.read(), b"query");
    let start = "peer exchange off (configured auto; native exchange filter: envoy.filters.network.metadata_exchange)";
    assert!(
        sidecar
            .logs()
            .iter()
            .any(|line| line.message.contains(start)),
        "{:?}",
        sidecar.logs()
    );
}
