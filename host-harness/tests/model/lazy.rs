//! Upstreams that are connected after an event of the downstream connection
//! (`upstream_connect_mode`). The differential tests compare the same scripts with Envoy.

use super::{lines, probe, stream_lines};
use host_harness::{
    Cluster, ConnectMode, Downstream, Rig, Sidecar, SidecarBuilder, Tls, UpstreamHost,
};

const ASK: &str = "new_connection: property xds/cluster_name; property upstream/address\n\
                   downstream_data: property xds/cluster_name; property upstream/address";

fn lazy(script: &str, mode: ConnectMode) -> SidecarBuilder {
    probe(script)
        .upstream_connect_mode(mode)
        .cluster(Cluster::new("db"))
        .upstream_host(UpstreamHost::new("10.0.0.2:1"))
}

/// The answers to the questions of [`ASK`], in order.
fn answers(sidecar: &Sidecar) -> Vec<String> {
    let lines = stream_lines(sidecar);
    let answers = lines.iter().filter_map(|line| line.split_once(" = "));
    answers.map(|(_, answer)| answer.to_owned()).collect()
}

#[test]
fn the_upstream_is_known_after_the_first_bytes_have_passed() {
    let sidecar = lazy(ASK, ConnectMode::OnDownstreamData).start().unwrap();
    let connection = sidecar.connect();
    assert!(!connection.reached_server());
    connection.client.write("a");
    assert!(connection.reached_server());
    connection.client.write("b");
    assert_eq!(connection.server.received(), b"ab");
    let expected = ["1", "1", "1", "1", "0 db", "0 10.0.0.2:1"];
    assert_eq!(answers(&sidecar), expected);
}

#[test]
fn an_end_of_stream_alone_does_not_connect() {
    let sidecar = lazy("", ConnectMode::OnDownstreamData).start().unwrap();
    let connection = sidecar.connect();
    connection.client.end();
    assert!(!connection.reached_server());
    assert!(connection.is_open());
}

#[test]
fn a_handshake_connects_before_the_first_bytes() {
    let sidecar = lazy(ASK, ConnectMode::OnDownstreamTlsHandshake)
        .downstream_tls(Tls::mutual("spiffe://server", "spiffe://client"))
        .start()
        .unwrap();
    let connection = sidecar.connect();
    assert!(connection.reached_server());
    connection.client.write("a");
    assert_eq!(answers(&sidecar), ["1", "1", "0 db", "0 10.0.0.2:1"]);
}

#[test]
fn a_greeting_waits_for_the_handshake() {
    let script = "upstream_data: property connection/mtls";
    let greeted = |mode| {
        let sidecar = lazy(script, mode)
            .downstream_tls(Tls::mutual("spiffe://server", "spiffe://client"))
            .start()
            .unwrap();
        sidecar.connect_greeted("hello");
        answers(&sidecar)
    };
    assert_eq!(greeted(ConnectMode::Immediate), [r"0 \x00"]);
    assert_eq!(greeted(ConnectMode::OnDownstreamTlsHandshake), [r"0 \x01"]);
}

#[test]
fn reading_stops_at_the_limit_until_the_upstream_is_connected() {
    let sidecar = lazy("", ConnectMode::OnDownstreamData)
        .max_early_data_bytes(3)
        .start()
        .unwrap();
    let relay = sidecar.relay(
        Downstream::default(),
        Cluster::new("db"),
        UpstreamHost::new("10.0.0.2:1"),
    );
    assert!(!relay.is_connecting());
    for bytes in ["ab", "cd", "ef"] {
        relay.client.write(bytes);
        assert!(relay.is_connecting());
    }
    let seen = || {
        lines(&sidecar)
            .iter()
            .filter(|line| line.contains("downstream_data"))
            .count()
    };
    assert_eq!(seen(), 2);
    relay.upstream_connected(None);
    assert_eq!(seen(), 3);
    assert_eq!(relay.server.received(), b"abcdef");
}

#[test]
fn the_next_proxy_accepts_when_the_first_one_connects() {
    let rig = Rig::builder(
        lazy("", ConnectMode::OnDownstreamData),
        Sidecar::inbound(&super::probe_module()),
    )
    .mtls("spiffe://client", "spiffe://server")
    .start()
    .unwrap();
    let connection = rig.connect_greeted("hello");
    assert!(
        lines(&rig.inbound)
            .iter()
            .all(|line| !line.contains("new_connection"))
    );
    connection.client.write("a");
    assert_eq!(connection.server.received(), b"a");
    assert_eq!(connection.client.received(), b"hello");
}
