//! Two proxies in a row, seen by the probe filter.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::{Cluster, Module, Rig, Sidecar, artifact};

/// A client's proxy with this script, and a server's whose only filter chain matches
/// `istio-peer-exchange`.
fn rig(script: &str, cluster: Cluster) -> Rig {
    let probe = Module::from_file(artifact::build("probe-filter", "wasm").unwrap()).unwrap();
    let outbound = Sidecar::outbound(&probe).plugin_config(script);
    let inbound = Sidecar::inbound(&probe).application_protocols(["istio-peer-exchange"]);
    Rig::builder(outbound.cluster(cluster), inbound)
        .mtls("spiffe://mesh/client", "spiffe://mesh/server")
        .start()
        .unwrap()
}

fn logged(sidecar: &Sidecar) -> Vec<String> {
    let lines = sidecar.logs().into_iter();
    lines.map(|line| line.message).collect()
}

#[test]
fn a_chain_is_matched_on_what_the_cluster_or_the_filter_offers() {
    // {path: "envoy.network.application_protocols", value: "istio-peer-exchange,istio",
    // span: DownstreamConnection}
    let advertise = "new_connection: foreign set_envoy_filter_state hex:0a23656e766f792e6e6574776f726b2e6170706c69636174696f6e\
                     5f70726f746f636f6c731219697374696f2d706565722d65786368616e67652c697374696f1802";
    let offering = Cluster::new("server").alpn(["istio-peer-exchange", "istio"]);
    for (script, cluster) in [("", offering), (advertise, Cluster::new("server"))] {
        let connection = rig(script, cluster).connect();
        connection.client.write("hello");
        assert_eq!(connection.server.read(), b"hello", "{script}");
    }
}

#[test]
fn without_a_matching_chain_the_handshake_fails() {
    let script =
        "downstream_close: property response/flags; property upstream/transport_failure_reason";
    for cluster in [
        Cluster::new("server"),
        Cluster::new("server").alpn(["istio"]),
    ] {
        let rig = rig(script, cluster);
        let connection = rig.connect();
        connection.client.write("hello");
        assert!(connection.client.saw_close());
        let outbound = logged(&rig.outbound);
        // UF,URX
        assert!(
            outbound
                .iter()
                .any(|line| line.contains(r"flags = 0  \x80\x00"))
        );
        assert!(
            outbound
                .iter()
                .any(|line| line.contains("reason = 0 TLS_error:|33554536"))
        );
        assert!(!outbound.iter().any(|line| line.contains("data(")));
        assert!(
            !logged(&rig.inbound)
                .iter()
                .any(|line| line.contains("new_connection"))
        );
    }
}
