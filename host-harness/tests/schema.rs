//! The JSON Schema of scenarios and the reader of scenarios accept the same keys.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

use host_harness::scenario::Scenario;
use jsonschema::Validator;
use serde_json::{Value, json};

/// A scenario with every key.
const FULL: &str = r#"
name: every key
about: a reason
configuration: { any: [thing] }
mtls:
  client: "spiffe://client"
  server: ["spiffe://server", "spiffe://other"]
  server_name: server.test
  offered_alpn: [h2]
  accepted_alpn: [h2]
labels: [reporter]
outbound:
  node: { id: sidecar-1, metadata: { any: thing } }
  configuration: text
  filter: true
  root_id: root
  profile: legacy
  filter_state: { key: { any: thing } }
  upstream_filter_state: { key: text }
  ja4_filter_state: key
  upstream_connect_mode: ON_DOWNSTREAM_DATA
  max_early_data_bytes: 1
  idle_timeout: 2m
  buffer_limit: 1024
  fault: { calls: { nth: 3 }, answer: { bytes: { hex: 3d 23 } } }
  cluster: { name: cluster, metadata: { any: thing }, max_connections: 1 }
  clusters: [{ name: other }]
  host: { metadata: { any: thing } }
  filters:
    - rbac: { action: DENY, principals: ["spiffe://client"], server_names: [server.test] }
    - sni_cluster: {}
    - set_filter_state: { envoy.tcp_proxy.cluster: other }
    - connection_limit: { max_connections: 1 }
    - wasm: {}
inbound:
  clusters: [{ name: other }]
  chains:
    - name: chain
      server_names: [server.test]
      transport_protocol: tls
      application_protocols: [h2]
      cluster: other
      filters:
        - wasm:
            module: other.wasm
            name: plugin
            root_id: root
            vm_id: vm
            configuration: { any: thing }
            vm_configuration: text
            failure_policy: FAIL_RELOAD
            reload_backoff: 500ms
        - wasm: {}
steps:
  - connect: {}
  - connect: { connection: a, greeting: 220, chunks: 7 }
  - client: { connection: a, write: [text, { hex: 00 }, { repeat: a, times: 2 }], end: true, reset: true }
  - server: { write: text, close: true }
  - at_once: [{ client: { write: a } }, { server: { write: b } }]
  - advance: 500ms
  - update: { side: inbound, filter: 1, configuration: { any: thing } }
  - drain: inbound
  - expect:
      connection: a
      client: { received: text, bytes: 4, ended: true }
      outbound: { metrics: [{ name: m, labels: { a: b }, value: 1, series: 1 }], log: [text] }
      failure: trapped
      one_of: [{ server: { bytes: 1 } }, { inbound: { log: [text] } }]
"#;

fn full() -> Value {
    serde_saphyr::from_str(&FULL.replace("220", "'220'").replace("hex: 00", "hex: '00'")).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&Scenario::schema()).unwrap()
}

fn reads(document: &Value) -> bool {
    Scenario::parse(&document.to_string()).is_ok()
}

/// The paths of all objects in a document whose keys are those of the format.
fn objects(document: &Value, at: &str, found: &mut Vec<String>) {
    // Below these, any key is allowed.
    const FREE: [&str; 6] = [
        "configuration",
        "metadata",
        "labels",
        "filter_state",
        "upstream_filter_state",
        "set_filter_state",
    ];
    match document {
        Value::Object(entries) => {
            found.push(at.to_owned());
            for (key, value) in entries {
                if !FREE.contains(&key.as_str()) {
                    objects(value, &format!("{at}/{key}"), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn both_accept_every_key_and_refuse_an_unknown_one_anywhere() {
    let validator = validator();
    let full = full();
    let errors: Vec<_> = validator
        .iter_errors(&full)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
    assert!(reads(&full));
    let mut places = Vec::new();
    objects(&full, "", &mut places);
    assert!(places.len() >= 45, "{places:?}");
    for place in places {
        let mut document = full.clone();
        document.pointer_mut(&place).unwrap()["unknown"] = json!(1);
        assert!(
            !validator.is_valid(&document),
            "the schema accepts {place}/unknown"
        );
        assert!(!reads(&document), "the reader accepts {place}/unknown");
    }
}

#[test]
fn both_refuse_values_of_another_form() {
    let validator = validator();
    for (place, value) in [
        ("/steps/5/advance", json!("3")),
        ("/steps/5/advance", json!(3)),
        ("/steps/2/client/write", json!(5)),
        ("/steps/2/client/write", json!({ "repeat": "a" })),
        ("/outbound/profile", json!("new")),
        ("/outbound/upstream_connect_mode", json!("later")),
        ("/outbound/max_early_data_bytes", json!(-1)),
        ("/outbound/idle_timeout", json!("1h")),
        ("/outbound/filters/0/rbac/action", json!("LOG")),
        ("/outbound/filters/4", json!("wasm")),
        (
            "/outbound/filters/4",
            json!({ "wasm": {}, "sni_cluster": {} }),
        ),
        ("/inbound/chains/0/transport_protocol", json!("quic")),
        (
            "/inbound/chains/0/filters/0/wasm/reload_backoff",
            json!("1"),
        ),
        ("/steps/7/drain", json!("client")),
        ("/steps", json!({})),
        ("/mtls", json!({ "client": "spiffe://client" })),
    ] {
        let mut document = full();
        *document.pointer_mut(place).unwrap() = value.clone();
        assert!(
            !validator.is_valid(&document),
            "the schema accepts {value} at {place}"
        );
        assert!(!reads(&document), "the reader accepts {value} at {place}");
    }
    for key in ["name", "steps"] {
        let mut document = full();
        document.as_object_mut().unwrap().remove(key);
        assert!(
            !validator.is_valid(&document) && !reads(&document),
            "without {key}"
        );
        document["base"] = json!("base.yaml");
        assert!(
            validator.is_valid(&document),
            "with a base and without {key}"
        );
    }
}
