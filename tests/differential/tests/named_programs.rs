//! Programs of one rule each, in the emulator and in real Envoy.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

use std::collections::BTreeSet;

use differential::{Program, Programs};
use serde_json::{Value, json};

/// A wasm filter with this script. The names of plugins and VMs differ between the programs of a
/// run.
fn probe(name: &str, script: &str) -> Value {
    json!({ "wasm": {
        "name": name,
        "root_id": name,
        "vm_id": name,
        "vm_configuration": name,
        "configuration": script,
    } })
}

/// A program with one sidecar, or two, which have the keys of these objects.
fn program(name: &str, sides: [(&str, Value); 2], mtls: Value, steps: Value) -> Program {
    let mut scenario = json!({ "name": name, "mtls": mtls, "steps": steps });
    let sides = sides.into_iter().filter(|(_, keys)| !keys.is_null());
    for (side, mut keys) in sides {
        keys["node"] = json!({ "id": "node" });
        keys["cluster"]["name"] = json!(format!("{name}.{side}"));
        scenario[side] = keys;
    }
    Program::named(scenario)
}

fn alone(name: &str, keys: Value, steps: Value) -> Program {
    let sides = [("outbound", keys), ("inbound", Value::Null)];
    program(name, sides, Value::Null, steps)
}

/// Plays the programs on both hosts. Returns the features that each has reached.
fn assert_equal(all: &[Program]) -> Vec<BTreeSet<&'static str>> {
    let _alone = crate::alone();
    let programs = Programs::new(None).unwrap();
    let (mut reached, mut differences) = (Vec::new(), Vec::new());
    programs
        .compare(all, |program, difference| {
            reached.push(program.features.clone());
            differences.extend(difference.map(|difference| difference.to_string()));
        })
        .unwrap();
    assert_eq!(reached.len(), all.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    reached
}

#[test]
fn an_only_chain_with_a_condition() {
    let tls = json!({
        "client": "spiffe://mesh/client",
        "server": "spiffe://mesh/server",
        "server_name": "a.test",
        "offered_alpn": ["h2"],
    });
    let mut all = Vec::new();
    for (mtls, key, values) in [
        (
            &tls,
            "server_names",
            vec![json!(["a.test"]), json!(["b.test"])],
        ),
        (
            &tls,
            "application_protocols",
            vec![json!(["h2"]), json!(["istio"])],
        ),
        (
            &tls,
            "transport_protocol",
            vec![json!("tls"), json!("raw_buffer")],
        ),
        (&Value::Null, "server_names", vec![json!(["a.test"])]),
        (&Value::Null, "application_protocols", vec![json!(["h2"])]),
        (
            &Value::Null,
            "transport_protocol",
            vec![json!("tls"), json!("raw_buffer")],
        ),
    ] {
        for value in values {
            for has_outbound in [true, false] {
                if !has_outbound && !mtls.is_null() {
                    // Applications do not speak TLS.
                    continue;
                }
                let name = format!("chain{}", all.len());
                let chain = json!({ key: value, "filters": [probe(&name, "")] });
                let outbound = match has_outbound {
                    true => json!({ "filter": false }),
                    false => Value::Null,
                };
                let sides = [
                    ("outbound", outbound),
                    ("inbound", json!({ "chains": [chain] })),
                ];
                all.push(program(
                    &name,
                    sides,
                    mtls.clone(),
                    json!([
                        { "connect": { "connection": "c" } },
                        { "client": { "connection": "c", "write": "four" } },
                        { "client": { "connection": "c", "write": "more" } },
                        { "server": { "connection": "c", "write": "answer" } },
                        { "client": { "connection": "c", "end": true } },
                    ]),
                ));
            }
        }
    }
    assert_equal(&all);
}

/// A peer that leaves while its bytes fill the read buffer: Envoy does not read, and sees the end
/// with its next write, or when a filter lets it read again.
#[test]
fn a_peer_leaves_while_the_read_buffer_is_full() {
    let by = |end: &str, act: Value| {
        let mut act = act;
        act["connection"] = json!("c");
        json!({ end: act })
    };
    let scripts = [
        (
            "client",
            "downstream_data: pause\nupstream_data: continue downstream",
        ),
        (
            "client",
            "downstream_data#1: pause\nupstream_data: continue downstream",
        ),
        (
            "client",
            "downstream_data: pause\nupstream_data#2: continue downstream",
        ),
        (
            "client",
            "downstream_data: pause\nupstream_data: pause; continue downstream",
        ),
        (
            "client",
            "downstream_data: pause\nupstream_data: set downstream 0 99; continue downstream",
        ),
        ("server", "upstream_data: pause"),
        (
            "server",
            "upstream_data#1: pause\ndownstream_data: continue upstream",
        ),
        (
            "server",
            "upstream_data: pause\ndownstream_data: pause; continue downstream",
        ),
    ];
    let leaving = [
        vec![json!({ "reset": true })],
        vec![json!({ "close": true })],
        vec![json!({ "end": true }), json!({ "reset": true })],
        vec![json!({ "write": "late" }), json!({ "reset": true })],
        vec![
            json!({ "write": "late and more" }),
            json!({ "close": true }),
        ],
    ];
    let mut all = Vec::new();
    for (from, script) in scripts {
        let other = if from == "client" { "server" } else { "client" };
        for acts in &leaving {
            for limit in [4, 8, 12] {
                let name = format!("full{}", all.len());
                let script = format!("{script}\nlog: property response/flags");
                let keys = json!({ "buffer_limit": limit, "filters": [probe(&name, &script)] });
                let mut steps = vec![
                    json!({ "connect": { "connection": "c" } }),
                    by(from, json!({ "write": "0123456789" })),
                ];
                steps.extend(acts.iter().map(|act| by(from, act.clone())));
                steps.extend([
                    by(other, json!({ "write": "one" })),
                    by(other, json!({ "write": "two" })),
                    by(other, json!({ "end": true })),
                ]);
                all.push(alone(&name, keys, steps.into()));
            }
        }
    }
    assert_equal(&all);
}

/// A filter puts an item into a queue in the event in which its connection ends: Envoy notifies the
/// owner of the queue before the event loop's next iteration.
#[test]
fn a_queue_is_notified_in_the_event_that_ends_a_connection() {
    let limited = json!({ "cluster": { "max_connections": 1 } });
    let missing =
        json!({ "filters": [{ "set_filter_state": { "envoy.tcp_proxy.cluster": "none" } }] });
    let client = |act: Value| acting("client", act);
    let server = |act: Value| acting("server", act);
    let mut all = Vec::new();
    let (none, write) = (&Value::Null, || json!({ "write": "a" }));
    let (end, close, reset) = (
        || json!({ "end": true }),
        || json!({ "close": true }),
        || json!({ "reset": true }),
    );
    for (script, keys, steps) in [
        ("new_connection: SEND", &limited, vec![]),
        ("new_connection: SEND", &missing, vec![]),
        ("new_connection: SEND; close downstream", none, vec![]),
        (
            "downstream_data: SEND; close downstream",
            none,
            vec![client(write())],
        ),
        (
            "upstream_data: SEND; close downstream",
            none,
            vec![server(write())],
        ),
        (
            "upstream_data: SEND",
            none,
            vec![client(close()), server(write()), server(write())],
        ),
        (
            "upstream_data: SEND",
            none,
            vec![client(end()), server(end())],
        ),
        (
            "upstream_data: SEND\nupstream_data#1: pause",
            none,
            vec![client(end()), server(write()), server(end())],
        ),
        (
            "upstream_data: SEND\ndownstream_data: pause",
            none,
            vec![client(end()), server(close())],
        ),
        (
            "downstream_data: SEND",
            none,
            vec![server(end()), client(end())],
        ),
        (
            "downstream_data: SEND\ndownstream_data#1: pause",
            none,
            vec![server(end()), client(write()), client(end())],
        ),
        (
            "downstream_data: SEND",
            none,
            vec![server(close()), client(write()), client(write())],
        ),
        ("downstream_close: SEND", none, vec![client(reset())]),
        ("downstream_close: SEND", none, vec![server(reset())]),
        ("log: SEND", none, vec![client(reset())]),
    ] {
        let name = format!("queue{}", all.len());
        let filter = |at: &str, script: &str| {
            let mut filter = probe(&format!("{name}{at}"), script);
            filter["wasm"]["vm_id"] = json!(name);
            filter
        };
        let receive = format!("queue_ready: dequeue_from {name} q");
        let owner = filter("a", &format!("new_connection: register_queue q\n{receive}"));
        let send = format!("enqueue_to {name} q x");
        let sender = filter("b", &script.replace("SEND", &send));
        let mut keys = match keys {
            Value::Null => json!({}),
            keys => keys.clone(),
        };
        let mut filters = keys["filters"].as_array().cloned().unwrap_or_default();
        filters.splice(0..0, [owner, sender]);
        keys["filters"] = filters.into();
        let mut all_steps = vec![json!({ "connect": { "connection": "c" } })];
        if keys["cluster"].is_object() {
            all_steps.push(json!({ "connect": { "connection": "d" } }));
        }
        all_steps.extend(steps);
        all.push(alone(&name, keys, all_steps.into()));
    }
    assert_equal(&all);
}

/// A drain ends every connection with the old filter chain, be it without the updated filter, whose VM
/// had failed.
#[test]
fn a_drain_ends_connections_that_lack_the_updated_filter() {
    let mut failing = probe("drained", "log: trap");
    failing["wasm"]["failure_policy"] = json!("FAIL_OPEN");
    let keys = json!({ "filters": [failing, probe("drained-too", "")] });
    let steps = json!([
        { "connect": { "connection": "first" } },
        { "client": { "connection": "first", "reset": true } },
        { "connect": { "connection": "c" } },
        { "update": { "side": "outbound", "filter": 0, "configuration": "" } },
        { "drain": "outbound" },
    ]);
    assert_equal(&[alone("drained", keys, steps)]);
}

/// A filter closes a connection whose upstream connection is not established.
#[test]
fn a_close_while_tcp_proxy_connects() {
    let script = "new_connection: continue downstream; close downstream\n\
                  downstream_close: property xds/upstream_host_metadata; property xds/cluster_name; \
                  property upstream/request_attempt_count; property response/flags";
    let keys = json!({ "filters": [probe("connecting", script)] });
    let steps = json!([{ "connect": { "connection": "c" } }]);
    assert_equal(&[alone("connecting", keys, steps)]);
}

/// An action on the connection `c`.
fn acting(end: &str, mut act: Value) -> Value {
    act["connection"] = json!("c");
    json!({ end: act })
}

/// Chains by server name, a second module, an update and a drain, in one program. The features
/// count only because the run reached them.
#[test]
fn chains_a_module_an_update_and_a_drain() {
    let tls = json!({ "client": "spiffe://mesh/c", "server": "spiffe://mesh/s", "server_name": "a.test" });
    let all = ["a.test", "b.test"].map(|name| {
        let id = format!("mixed-{name}");
        let other = json!({ "wasm": {
            "module": "OTHER-MODULE",
            "name": format!("{id}-module"),
            "root_id": format!("{id}-module"),
            "vm_id": format!("{id}-module"),
            "configuration": "ab",
        } });
        let chains = json!([
            { "name": "named", "server_names": [name], "filters": [probe(&id, ""), other] },
            { "name": "any", "filters": [probe(&format!("{id}-any"), "")] },
        ]);
        let sides = [
            ("outbound", json!({ "filter": false })),
            ("inbound", json!({ "chains": chains })),
        ];
        let steps = json!([
            { "connect": { "connection": "old" } },
            { "client": { "connection": "old", "write": "one" } },
            { "update": {
                "side": "inbound",
                "filter": 0,
                "configuration": "downstream_data: set downstream 0 0 new",
            } },
            { "connect": { "connection": "new" } },
            { "client": { "connection": "new", "write": "two" } },
            { "client": { "connection": "old", "write": "three" } },
            { "drain": "inbound" },
            { "client": { "connection": "new", "write": "four" } },
        ]);
        let mut program = program(&id, sides, tls.clone(), steps);
        program.features = FEATURES.into();
        program
    });
    let reached = assert_equal(&all);
    // The server name of the second one is that of no chain with a condition or a module.
    let others = ["drain", "filter-chains", "update"];
    assert_eq!(reached, [FEATURES.into(), others.into()]);
}

const FEATURES: [&str; 5] = [
    "another-module",
    "chain-by-server-name",
    "drain",
    "filter-chains",
    "update",
];
