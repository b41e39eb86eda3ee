//! Two sidecars with the filter: ratings-v2 calls mongodb-v1.

use std::collections::BTreeMap;
use std::time::Duration;

use host_harness::{
    Cluster, Module, Node, Rig, Sidecar, SidecarBuilder, StatsTag, UpstreamHost, artifact,
};
use mesh::labels::{CLOSED, OPENED, RECEIVED, SENT, STANDARD};
use serde_json::json;

pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

pub(crate) const CLIENT: &str = "spiffe://cluster.local/ns/default/sa/bookinfo-ratings-v2";
pub(crate) const SERVER: &str = "spiffe://cluster.local/ns/default/sa/bookinfo-mongodb";

const CLUSTER: &str = "outbound|27017||mongodb.default.svc.cluster.local";

/// The labels of the four metrics, and the one of the exchange's counter.
pub(crate) fn tags() -> impl Iterator<Item = &'static str> {
    STANDARD.into_iter().chain(["result"])
}

/// The filter, compiled once per process.
pub(crate) fn module() -> Module {
    Module::from_file_cached(artifact::build("tcp-peer-stats", "wasm").unwrap()).unwrap()
}

fn node(workload: &str, app: &str, version: &str) -> Node {
    Node::new(format!(
        "sidecar~10.0.0.1~{workload}.default~default.svc.cluster.local"
    ))
    .metadata(json!({
        "NAME": format!("{workload}-0"),
        "NAMESPACE": "default",
        "WORKLOAD_NAME": workload,
        "CLUSTER_ID": "Kubernetes",
        "LABELS": {
            "app": app,
            "version": version,
            "service.istio.io/canonical-name": app,
            "service.istio.io/canonical-revision": version,
        },
    }))
}

/// The node of a proxy that has Envoy's own exchange filter compiled in.
pub(crate) fn native_node() -> Node {
    let name = "envoy.filters.network.metadata_exchange";
    node("ratings-v2", "ratings", "v2").extension("envoy.filters.network", name)
}

/// The service's entry in a cluster's metadata, as Istio's control plane writes it.
fn services() -> serde_json::Value {
    let service = json!({ "host": "mongodb.default.svc.cluster.local", "name": "mongodb", "namespace": "default" });
    json!({ "istio": { "services": [service] } })
}

/// The client's sidecar. It writes on its first connection.
pub(crate) fn outbound(module: &Module) -> SidecarBuilder {
    let host = json!({
        "istio": { "workload": "mongodb-v1;default;mongodb;v1;Kubernetes" },
        "envoy.transport_socket_match": { "tlsMode": "istio" },
    });
    let exchanging = json!({ "peer_exchange": { "clusters": [CLUSTER] } });
    Sidecar::outbound(module)
        .plugin_config(exchanging.to_string())
        .node(node("ratings-v2", "ratings", "v2"))
        .cluster(Cluster::new(CLUSTER).metadata(services()))
        .upstream_host(UpstreamHost::new("10.0.0.2:27017").metadata(host))
        .stats_tags(StatsTag::labels(tags()))
}

/// The server's sidecar.
pub(crate) fn inbound(module: &Module) -> SidecarBuilder {
    Sidecar::inbound(module)
        .node(node("mongodb-v1", "mongodb", "v1"))
        .cluster(Cluster::new("inbound|27017||").metadata(services()))
        .stats_tags(StatsTag::labels(tags()))
}

/// Both, with mTLS between them.
pub(crate) fn rig() -> Rig {
    let module = module();
    Rig::builder(outbound(&module), inbound(&module))
        .mtls(CLIENT, SERVER)
        .start()
        .unwrap()
}

/// A sidecar's sums over all label sets: opened, closed, received, sent.
pub(crate) fn counts(sidecar: &Sidecar) -> [u64; 4] {
    [OPENED, CLOSED, RECEIVED, SENT].map(|metric| sidecar.metric(metric).sum())
}

/// The number of exchanges with this result.
pub(crate) fn outcomes(sidecar: &Sidecar, result: &str) -> u64 {
    sidecar
        .metric("istio_tcp_peer_exchange_total")
        .labels([("result", result)])
        .sum()
}

/// The one label set of the four metrics.
pub(crate) fn labels(sidecar: &Sidecar) -> BTreeMap<String, String> {
    let series = sidecar.metric(OPENED).series();
    let [series] = series.as_slice() else {
        panic!("{series:#?}")
    };
    series.labels.clone().into_iter().collect()
}
