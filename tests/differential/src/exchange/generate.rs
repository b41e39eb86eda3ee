//! Random programs of two sidecars: the same seed and index give the same program.

use fastrand::Rng;
use serde_json::{Value, json};

const CLUSTER: &str = "outbound|27017||mongodb.default.svc.cluster.local";

/// All labels, so that `stats_tags` leave the name of the metric.
const LABELS: [&str; 24] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_flags",
    "connection_security_policy",
    "result",
];

const ON_DATA: &str = "ON_DOWNSTREAM_DATA";

/// The highest number of steps in which both applications write: each multiplies the orders by up
/// to four.
const AT_ONCE: usize = 2;

/// The highest number of greetings: each doubles the orders.
const GREETINGS: usize = 2;

/// Returns the `index`-th random program of a seed: a scenario without expectations, as JSON.
#[must_use]
pub fn program(seed: u64, index: usize) -> Value {
    let rng = &mut Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64);
    let is_mtls = rng.u8(0..10) > 0;
    let [outbound, inbound] = sidecars(rng, is_mtls);
    let lazy = |side: &Value| side["upstream_connect_mode"] == ON_DATA;
    let timing = Timing {
        is_lazy: lazy(&outbound) || lazy(&inbound),
        // Otherwise the greeting and the client's first bytes race to the server's proxy.
        may_greet: !lazy(&outbound) || lazy(&inbound),
    };
    let mut program = json!({
        "name": format!("exchange {index} of seed {seed}"),
        "labels": LABELS,
        "outbound": outbound,
        "inbound": inbound,
        "steps": steps(rng, timing),
    });
    if is_mtls {
        program["mtls"] = json!({
            "client": "spiffe://cluster.local/ns/default/sa/ratings",
            "server": "spiffe://cluster.local/ns/default/sa/mongodb",
        });
    }
    program
}

fn sidecars(rng: &mut Rng, is_mtls: bool) -> [Value; 2] {
    let interval = any(rng, &["0s", "3600s"]);
    let configuration = |rng: &mut Rng, exchange: &mut Value| {
        exchange["mode"] = json!(any(
            rng,
            &[
                "auto", "auto", "auto", "auto", "auto", "on", "receive", "off"
            ]
        ));
        json!({ "tcp_reporting_duration": interval, "peer_exchange": exchange })
    };
    let mut clients = json!({ "advertise_alpn": rng.bool() });
    clients["clusters"] = match rng.u8(0..3) {
        0 => json!([CLUSTER]),
        _ => json!([]),
    };
    let mut outbound = json!({
        "node": node("10.0.0.1", "ratings"),
        "filter": rng.u8(0..12) > 0,
        "configuration": configuration(rng, &mut clients),
        "cluster": { "name": CLUSTER, "metadata": services() },
    });
    let mut inbound = json!({
        "node": node("10.0.0.2", "mongodb"),
        "filter": rng.u8(0..12) > 0,
        "configuration": configuration(rng, &mut json!({})),
        "cluster": { "name": "inbound|27017||", "metadata": services() },
    });
    if rng.bool() {
        inbound["ja4_filter_state"] = json!("tcp_peer_stats.client_ja4");
    }
    // Without TLS to wait for, Envoy connects at the accept and reads meanwhile: see the manual.
    let handshake = is_mtls.then_some("ON_DOWNSTREAM_TLS_HANDSHAKE");
    for (sidecar, handshake) in [(&mut outbound, None), (&mut inbound, handshake)] {
        let mode = match (rng.u8(0..6), handshake) {
            (0, _) => ON_DATA,
            (1, Some(mode)) => mode,
            _ => continue,
        };
        sidecar["upstream_connect_mode"] = json!(mode);
        sidecar["max_early_data_bytes"] = json!(rng.u16(0..9000));
    }
    [outbound, inbound]
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

/// What the modes of the upstream connections permit.
#[derive(Clone, Copy)]
struct Timing {
    /// The server is connected after the client's first bytes.
    is_lazy: bool,
    may_greet: bool,
}

/// Two to four connections, one after the other or overlapping.
fn steps(rng: &mut Rng, timing: Timing) -> Vec<Value> {
    let mut steps = Vec::new();
    let mut at_once = AT_ONCE;
    let mut greetings = GREETINGS;
    let mut open = Vec::new();
    for number in 0..rng.usize(2..=4) {
        let name = format!("c{number}");
        let mut connect = json!({ "connection": name });
        let greets = timing.may_greet && greetings > 0 && rng.u8(0..3) == 0;
        greetings -= usize::from(greets);
        if greets && timing.is_lazy {
            connect["greeting"] = json!(bytes(rng));
        }
        steps.push(json!({ "connect": connect }));
        if greets && !timing.is_lazy {
            steps.push(json!({ "at_once": [write(rng, "server", &name)] }));
        }
        // Bytes of the server right after the connect may pass before the TLS handshake is over or
        // after it: only `at_once` has both orders in the emulator.
        if !greets && !timing.is_lazy && at_once > 0 && rng.bool() {
            at_once -= 1;
            steps.push(both(rng, &name));
        } else {
            steps.push(write(rng, "client", &name));
        }
        for _ in 0..rng.usize(0..=3) {
            let is_both = at_once > 0 && rng.u8(0..3) == 0;
            at_once -= usize::from(is_both);
            steps.push(match rng.bool() {
                _ if is_both => both(rng, &name),
                true => write(rng, "client", &name),
                false => write(rng, "server", &name),
            });
        }
        if rng.u8(0..3) > 0 {
            steps.extend(ends(rng, &name));
        } else {
            open.push(name);
        }
    }
    steps.extend(open.iter().flat_map(|name| ends(rng, name)));
    steps
}

fn ends(rng: &mut Rng, connection: &str) -> [Value; 2] {
    let mut ends = ["client", "server"];
    rng.shuffle(&mut ends);
    ends.map(|end| json!({ end: { "connection": connection, "end": true } }))
}

fn both(rng: &mut Rng, connection: &str) -> Value {
    let mut acts = vec![
        write(rng, "client", connection),
        write(rng, "server", connection),
    ];
    rng.shuffle(&mut acts);
    json!({ "at_once": acts })
}

fn write(rng: &mut Rng, end: &str, connection: &str) -> Value {
    json!({ end: { "connection": connection, "write": bytes(rng) } })
}

/// Some begin like the magic of a frame.
fn bytes(rng: &mut Rng) -> String {
    let length = match rng.u8(0..10) {
        0 => rng.usize(1000..20_000),
        _ => rng.usize(1..12),
    };
    let text: String = (0..length).map(|_| rng.alphanumeric()).collect();
    match rng.u8(0..8) {
        0 => format!("={text}"),
        1 => format!("=#{text}"),
        _ => text,
    }
}

fn any<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    let index = rng.usize(0..choices.len().max(1));
    choices.get(index).copied().unwrap_or_default()
}
