//! Random programs of two sidecars: the same seed and index give the same program.

mod steps;

use fastrand::Rng;
use host_harness::Profile;
use mesh::labels::STANDARD;
use serde_json::{Value, json};
use steps::{Timing, steps};

use crate::version::has_connect_modes;

const CLUSTER: &str = "outbound|27017||mongodb.default.svc.cluster.local";

const IMMEDIATE: &str = "IMMEDIATE";
const ON_DATA: &str = "ON_DOWNSTREAM_DATA";
const ON_HANDSHAKE: &str = "ON_DOWNSTREAM_TLS_HANDSHAKE";

/// Returns the `index`-th random program of a seed for this version of Envoy: a scenario without
/// expectations, as JSON.
#[must_use]
pub fn program(profile: Profile, seed: u64, index: usize) -> Value {
    let rng = &mut Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64);
    let is_mtls = rng.u8(0..10) > 0;
    let mut sidecars = sidecars(rng, is_mtls);
    if !has_connect_modes(profile) {
        for sidecar in &mut sidecars {
            sidecar["upstream_connect_mode"] = json!(IMMEDIATE);
        }
    }
    let [outbound, inbound] = sidecars;
    let lazy = |side: &Value| side["upstream_connect_mode"] == ON_DATA;
    let timing = Timing {
        is_lazy: lazy(&outbound) || lazy(&inbound),
        // Otherwise the greeting and the client's first bytes race to the server's proxy.
        may_greet: !lazy(&outbound) || lazy(&inbound),
    };
    let mtls = json!({
        "client": "spiffe://cluster.local/ns/default/sa/ratings",
        "server": "spiffe://cluster.local/ns/default/sa/mongodb",
    });
    json!({
        "name": format!("exchange {index} of seed {seed}"),
        // All labels, so that `stats_tags` leave the name of the metric.
        "labels": STANDARD.iter().chain(&["result"]).collect::<Vec<_>>(),
        "mtls": is_mtls.then_some(mtls),
        "outbound": outbound,
        "inbound": inbound,
        "steps": steps(rng, timing),
    })
}

fn sidecars(rng: &mut Rng, is_mtls: bool) -> [Value; 2] {
    let interval = any(rng, &["0s", "3600s"]);
    let listed: &[&str] = if rng.u8(0..3) == 0 { &[CLUSTER] } else { &[] };
    let exchange = json!({ "mode": mode(rng), "advertise_alpn": rng.bool(), "clusters": listed });
    let outbound = json!({
        "node": node("10.0.0.1", "ratings"),
        "filter": rng.u8(0..12) > 0,
        "configuration": { "tcp_reporting_duration": interval, "peer_exchange": exchange },
        "cluster": { "name": CLUSTER, "metadata": services() },
        // Without TLS there is no handshake to wait for: see the harness' manual.
        "upstream_connect_mode": any(rng, &[IMMEDIATE, IMMEDIATE, IMMEDIATE, IMMEDIATE, ON_DATA]),
        "max_early_data_bytes": rng.u16(0..9000),
    });
    let on_handshake = if is_mtls { ON_HANDSHAKE } else { IMMEDIATE };
    let inbound = json!({
        "node": node("10.0.0.2", "mongodb"),
        "filter": rng.u8(0..12) > 0,
        "configuration": { "tcp_reporting_duration": interval, "peer_exchange": { "mode": mode(rng) } },
        "cluster": { "name": "inbound|27017||", "metadata": services() },
        "ja4_filter_state": rng.bool().then_some("tcp_peer_stats.client_ja4"),
        "upstream_connect_mode": any(rng, &[IMMEDIATE, IMMEDIATE, IMMEDIATE, on_handshake, ON_DATA]),
        "max_early_data_bytes": rng.u16(0..9000),
    });
    [outbound, inbound]
}

/// A mode of the exchange: mostly the default.
fn mode(rng: &mut Rng) -> &'static str {
    any(
        rng,
        &[
            "auto", "auto", "auto", "auto", "auto", "on", "receive", "off",
        ],
    )
}

fn node(address: &str, workload: &str) -> Value {
    json!({
        "id": format!("sidecar~{address}~{workload}-0.default~default.svc.cluster.local"),
        "metadata": {
            "NAME": format!("{workload}-0"),
            "NAMESPACE": "default",
            "WORKLOAD_NAME": format!("{workload}-v1"),
            "CLUSTER_ID": "Kubernetes",
            "LABELS": { "app": workload, "service.istio.io/canonical-name": workload },
        },
    })
}

fn services() -> Value {
    json!({ "istio": { "services": [{ "host": "mongodb.default.svc.cluster.local", "name": "mongodb", "namespace": "default" }] } })
}

fn any<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    let index = rng.usize(0..choices.len().max(1));
    choices.get(index).copied().unwrap_or_default()
}
