//! The filters and filter chains of a sidecar.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::script::script;
use super::steps::Plan;
use super::{Kit, OTHER, any};

/// One to three filter chains.
pub(super) fn chains(
    rng: &mut Rng,
    kit: &Kit<'_>,
    plan: &mut Plan,
    features: &mut BTreeSet<&'static str>,
) -> Vec<Value> {
    let mut matches = conditions(rng, kit);
    if rng.u8(0..5) > 0 {
        matches.push(json!({}));
    }
    if matches.len() > 1 {
        features.insert("filter-chains");
    }
    for (at, chain) in matches.iter_mut().enumerate() {
        let Some(chain) = chain.as_object_mut() else {
            continue;
        };
        for (key, feature) in [
            ("server_names", "chain-by-server-name"),
            ("application_protocols", "chain-by-alpn"),
            ("transport_protocol", "chain-by-transport-protocol"),
        ] {
            if chain.contains_key(key) {
                features.insert(feature);
            }
        }
        let name = format!("chain{at}");
        let filters = filters(rng, kit, plan, &name, features);
        chain.insert("name".into(), json!(name));
        chain.insert("filters".into(), filters.into());
        if rng.u8(0..4) == 0 {
            features.insert("cluster-of-a-chain");
            chain.insert("cluster".into(), json!(format!("{}.other", kit.id)));
        }
    }
    matches
}

/// The conditions of one or two filter chains. The connections of a program are all alike: every
/// other time one of the conditions is true of them, as long as no other one goes before it.
fn conditions(rng: &mut Rng, kit: &Kit<'_>) -> Vec<Value> {
    let server_names: &[&str] = &["a.test", "*.a.test", "*.test", "c.test"];
    let mut all = [
        ("server_names", json!([any(rng, server_names)])),
        ("application_protocols", json!([any(rng, &["h2", "istio"])])),
        (
            "transport_protocol",
            json!(any(rng, &["tls", "raw_buffer"])),
        ),
    ];
    rng.shuffle(&mut all);
    if rng.bool()
        && let Some((key, value)) = rng.choice(kit.facts())
    {
        all.sort_by_key(|(other, _)| *other != key);
        if let Some((_, first)) = all.first_mut() {
            *first = value;
        }
    }
    let count = rng.usize(1..=2);
    let chosen = all.into_iter().take(count);
    match rng.u8(0..5) {
        0 => vec![chosen.map(|(key, value)| (key.to_owned(), value)).collect()],
        _ => chosen.map(|(key, value)| json!({ key: value })).collect(),
    }
}

/// The filters of a chain: one to three, most of them probes.
pub(super) fn filters(
    rng: &mut Rng,
    kit: &Kit<'_>,
    plan: &mut Plan,
    chain: &str,
    features: &mut BTreeSet<&'static str>,
) -> Vec<Value> {
    let count = [1, 1, 1, 2, 2, 3]
        .get(rng.usize(0..6))
        .copied()
        .unwrap_or(1);
    if count > 1 {
        features.insert("several-filters");
    }
    let mut filters = Vec::new();
    for at in 0..count {
        filters.push(match rng.u8(0..12) {
            0 => rbac(rng, features),
            1 => own(rng, kit, features),
            2 => {
                features.insert("another-module");
                other(rng, kit, chain, at)
            }
            _ => probe(rng, kit, plan, chain, at, features),
        });
    }
    filters
}

fn probe(
    rng: &mut Rng,
    kit: &Kit<'_>,
    plan: &mut Plan,
    chain: &str,
    at: usize,
    features: &mut BTreeSet<&'static str>,
) -> Value {
    let policy = match rng.u8(0..12) {
        0 => Some(("FAIL_OPEN", "fail-open")),
        1 => Some(("FAIL_CLOSED", "fail-closed")),
        2 => Some(("FAIL_RELOAD", "reload")),
        _ => None,
    };
    let id = format!("{}{chain}{at}", kit.id);
    let mut filter = json!({
        "name": id,
        // The filters of a sidecar share data and queues.
        "vm_id": kit.id,
        // Log lines of roots have this name, those of streams the plugin's.
        "root_id": id,
        // Each has a VM of its own.
        "vm_configuration": id,
        "configuration": script(rng, kit, plan, policy.is_some(), features),
    });
    if let (Some((policy, feature)), Some(keys)) = (policy, filter.as_object_mut()) {
        features.insert(feature);
        plan.least_connections = 2;
        plan.may_close = true;
        keys.insert("failure_policy".into(), json!(policy));
        keys.insert("reload_backoff".into(), json!(any(rng, &["4ms", "30m"])));
        plan.is_reloading |= feature == "reload";
    }
    plan.add_probe(kit.side);
    json!({ "wasm": filter })
}

/// The second module: it removes a prefix, adds another one, and waits for bytes.
fn other(rng: &mut Rng, kit: &Kit<'_>, chain: &str, at: usize) -> Value {
    let id = format!("{}{chain}{at}", kit.id);
    json!({ "wasm": {
        "module": OTHER,
        "name": id,
        "root_id": id,
        "vm_id": id,
        "configuration": any(rng, &["", "a", "ab", "xyz"]),
    } })
}

fn rbac(rng: &mut Rng, features: &mut BTreeSet<&'static str>) -> Value {
    features.insert("rbac");
    let principals: &[&str] = match rng.u8(0..3) {
        0 => &[],
        1 => &["spiffe://mesh/ns/default/sa/client0"],
        _ => &["spiffe://mesh/ns/default/sa/client1", "spiffe://other"],
    };
    let names: &[&str] = match rng.u8(0..3) {
        0 => &["a.test", "c.test"],
        _ => &[],
    };
    json!({ "rbac": {
        "action": any(rng, &["ALLOW", "ALLOW", "DENY"]),
        "principals": principals,
        "server_names": names,
    } })
}

fn own(rng: &mut Rng, kit: &Kit<'_>, features: &mut BTreeSet<&'static str>) -> Value {
    match rng.u8(0..4) {
        0 => {
            features.insert("sni_cluster");
            json!({ "sni_cluster": {} })
        }
        1 => {
            features.insert("connection_limit");
            json!({ "connection_limit": { "max_connections": rng.u8(1..=2) } })
        }
        2 => {
            features.insert("cluster-by-filter-state");
            let cluster = any(rng, &["other", "other", "main", "missing"]);
            let cluster = format!("{}.{cluster}", kit.id);
            json!({ "set_filter_state": { "envoy.tcp_proxy.cluster": cluster } })
        }
        _ => {
            features.insert("set_filter_state");
            json!({ "set_filter_state": { "key.one": "value" } })
        }
    }
}
