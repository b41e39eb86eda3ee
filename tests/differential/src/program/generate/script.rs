//! Scripts for the probe filters of a program.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::steps::Plan;
use super::{Kit, any};

const CALLBACKS: [&str; 13] = [
    "new_connection",
    "new_connection",
    "downstream_data",
    "downstream_data",
    "downstream_data",
    "downstream_data",
    "upstream_data",
    "upstream_data",
    "upstream_data",
    "upstream_close",
    "downstream_close",
    "log",
    "delete",
];

/// Without addresses, ports and connection ids, which differ between the hosts.
const PROPERTIES: [&str; 23] = [
    "connection/mtls",
    "connection/requested_server_name",
    "connection/tls_version",
    "connection/uri_san_local_certificate",
    "connection/uri_san_peer_certificate",
    "upstream/tls_version",
    "upstream/uri_san_local_certificate",
    "upstream/uri_san_peer_certificate",
    "upstream/transport_failure_reason",
    "upstream/request_attempt_count",
    "upstream/num_endpoints",
    "xds/cluster_name",
    "xds/filter_chain_name",
    "xds/listener_direction",
    "plugin_name",
    "plugin_vm_id",
    "plugin_root_id",
    "response/flags",
    "own",
    "filter_state/wasm.own",
    "filter_state/key.one",
    "filter_state/envoy.tcp_proxy.cluster",
    "xds/upstream_host_metadata",
];

/// Lines for some callbacks. The filters of a sidecar share data and queues.
pub(super) fn script(
    rng: &mut Rng,
    kit: &Kit<'_>,
    plan: &mut Plan,
    traps: bool,
    features: &mut BTreeSet<&'static str>,
) -> String {
    let mut lines: Vec<_> = (0..rng.usize(0..=4))
        .map(|_| line(rng, kit, features))
        .collect();
    if rng.u8(0..5) == 0 {
        features.insert("pause-and-continue");
        let size = rng.u8(1..=2);
        lines.push("downstream_data#1: pause".into());
        lines.push(match rng.bool() {
            true => format!("upstream_data#{size}: continue downstream"),
            false => "downstream_data#2: continue downstream; pause".into(),
        });
    }
    if rng.u8(0..8) == 0 {
        features.insert("queues");
        let queue = any(rng, &["q", "r"]);
        lines.push(format!("new_connection: register_queue {queue}"));
        lines.push(format!("queue_ready: dequeue_from {} {queue}", kit.id));
    }
    // Of two timers that end at the same time, either may be first.
    if plan.has_ticks && !std::mem::replace(&mut plan.has_timer, true) {
        let callback = any(rng, &["new_connection", "downstream_data", "upstream_data"]);
        // Longer than a busy machine needs to connect, together shorter than a pause of the steps.
        let (first, second) = (rng.u8(25..40), rng.u8(25..40));
        lines.push(format!("{callback}#1: tick {first}"));
        let resumes = match rng.bool() {
            true => "; effective 2; continue downstream",
            false => "",
        };
        lines.push(format!("tick: tick 0; {}", property(rng)));
        lines.push(format!("tick#1: tick {second}{resumes}"));
        if rng.bool() {
            lines.push("downstream_data#1: pause".into());
        }
    }
    if traps {
        let callback = any(
            rng,
            &[
                "new_connection",
                "downstream_data",
                "upstream_data",
                "upstream_data",
                "log",
            ],
        );
        lines.push(format!("{callback}#{}: trap", rng.u8(1..=2)));
    }
    lines.join("\n")
}

fn line(rng: &mut Rng, kit: &Kit<'_>, features: &mut BTreeSet<&'static str>) -> String {
    let callback = any(rng, &CALLBACKS);
    let call = match rng.u8(0..10) {
        0..=3 => "#1",
        4..=5 => "#2",
        _ => "",
    };
    let count = rng.usize(1..=3);
    let actions: Vec<_> = (0..count)
        .map(|_| action(rng, callback, kit, features))
        .collect();
    format!("{callback}{call}: {}", actions.join("; "))
}

fn action(
    rng: &mut Rng,
    callback: &str,
    kit: &Kit<'_>,
    features: &mut BTreeSet<&'static str>,
) -> String {
    let vm = &kit.id;
    let buffer = callback.strip_suffix("_data");
    match (rng.u8(0..100), buffer) {
        (0..=11, Some(_)) => "pause".into(),
        // The proxy in front would wait for the TLS handshake: see the harness' manual.
        (0..=3, None) if callback == "new_connection" && !kit.is_tls => "pause".into(),
        (12..=27, Some(buffer)) => {
            let start = any(rng, &["0", "0", "0", "1", "2", "99"]);
            let length = any(rng, &["0", "0", "1", "2", "99"]);
            let data = any(rng, &["", "<", "longer-than-before"]);
            format!("set {buffer} {start} {length} {data}")
                .trim_end()
                .to_owned()
        }
        (28..=35, Some(buffer)) => format!("get {buffer} 0 {}", any(rng, &["1", "99"])),
        (36..=43, _) => "continue downstream".into(),
        (44..=46, _) => {
            features.insert("close-by-a-filter");
            format!("close {}", any(rng, &["downstream", "upstream"]))
        }
        (47..=54, _) => format!("set_property own {}", any(rng, &["x", "yy"])),
        (55..=62, _) => {
            features.insert("shared-data");
            let key = any(rng, &["k", "l"]);
            match rng.u8(0..3) {
                0 => format!("get_shared {key}"),
                1 => format!("set_shared {key} {} 0", any(rng, &["x", "yy"])),
                _ => format!("set_shared {key} z 4000000000"),
            }
        }
        (63..=68, _) => {
            features.insert("queues");
            let (queue, value) = (any(rng, &["q", "r"]), any(rng, &["a", "b"]));
            match rng.u8(0..4) {
                0 => format!("dequeue_from {vm} {queue}"),
                _ => format!("enqueue_to {vm} {queue} {value}"),
            }
        }
        _ => property(rng),
    }
}

fn property(rng: &mut Rng) -> String {
    format!("property {}", any(rng, &PROPERTIES))
}
