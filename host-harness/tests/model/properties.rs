//! Properties: values, and when they exist.

use super::{probe, stream_lines};
use host_harness::{Cluster, Node, Profile, Sidecar, SidecarBuilder, Tls, UpstreamHost};
use serde_json::json;

/// The results for these paths in new_connection and in downstream_data.
fn ask(
    paths: &[&str],
    with: impl FnOnce(SidecarBuilder) -> SidecarBuilder,
) -> Vec<(String, String)> {
    let actions: Vec<_> = paths
        .iter()
        .map(|path| format!("property {path}"))
        .collect();
    let actions = actions.join("; ");
    let script = format!("new_connection: {actions}\ndownstream_data: {actions}");
    let sidecar: Sidecar = with(probe(&script)).start().unwrap();
    sidecar.connect().client.write("x");
    let lines = stream_lines(&sidecar);
    let answers: Vec<_> = lines
        .iter()
        .filter_map(|line| Some(line.split_once(" = ")?.1.to_owned()))
        .collect();
    let (early, late) = answers.split_at(paths.len());
    early.iter().cloned().zip(late.iter().cloned()).collect()
}

fn pairs<const N: usize>(answers: [(&str, &str); N]) -> Vec<(String, String)> {
    answers
        .map(|(early, late)| (early.to_owned(), late.to_owned()))
        .to_vec()
}

#[test]
fn the_upstream_is_known_once_tcp_proxy_has_chosen() {
    let paths = [
        "xds/cluster_name",
        "upstream/address",
        "xds/cluster_metadata/filter_metadata/istio/services/0/host",
    ];
    let answers = ask(&paths, |builder| {
        let services = json!({"istio": {"services": [{"host": "db.default"}]}});
        let cluster = Cluster::new("outbound|1||db").metadata(services);
        builder
            .cluster(cluster)
            .upstream_host(UpstreamHost::new("10.0.0.2:1"))
    });
    assert_eq!(
        answers,
        pairs([
            ("1", "0 outbound|1||db"),
            ("1", "0 10.0.0.2:1"),
            ("1", "0 db.default")
        ])
    );
}

#[test]
fn the_peer_is_known_once_the_handshake_is_finished() {
    let paths = [
        "connection/mtls",
        "connection/uri_san_peer_certificate",
        "connection/uri_san_local_certificate",
    ];
    let answers = ask(&paths, |builder| {
        builder.downstream_tls(Tls::mutual("spiffe://me", "spiffe://peer"))
    });
    assert_eq!(
        answers,
        pairs([
            (r"0 \x00", r"0 \x01"),
            ("1", "0 spiffe://peer"),
            ("0 spiffe://me", "0 spiffe://me")
        ])
    );
}

#[test]
fn roots_have_no_encoding_and_host_metadata_may_be_missing() {
    let answers = ask(
        &["xds", "connection", "xds/upstream_host_metadata", "nosuch"],
        |builder| builder,
    );
    assert_eq!(
        answers,
        pairs([("3", "3"), ("3", "3"), ("1", "3"), ("1", "1")])
    );
}

#[test]
fn each_generation_has_its_own_names() {
    let node = || Node::new("me").metadata(json!({"LABELS": {"app": "web"}}));
    let paths = [
        "node/id",
        "xds/node/id",
        "node/metadata/LABELS/app",
        "xds/node/metadata/LABELS/app",
    ];
    let late = |answers: Vec<(String, String)>| -> Vec<_> {
        answers.into_iter().map(|(_, late)| late).collect()
    };
    let xds = late(ask(&paths, |builder| builder.node(node())));
    assert_eq!(xds, ["1", "0 me", "1", "0 web"]);
    let legacy = late(ask(&paths, |builder| {
        builder.node(node()).profile(Profile::Legacy)
    }));
    assert_eq!(legacy, ["0 me", "1", "0 web", "1"]);
}
