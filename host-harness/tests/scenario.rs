//! The keys of a scenario's sidecar, seen by the probe filter.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::scenario::{Emulated, Scenario, run};
use host_harness::{Module, artifact};

fn play(yaml: &str) {
    let probe = Module::from_file(artifact::build("probe-filter", "wasm").unwrap()).unwrap();
    let scenario = Scenario::parse(yaml).unwrap();
    run(&scenario, &mut Emulated::start(&scenario, &probe).unwrap()).unwrap();
}

#[test]
fn a_filter_of_an_older_mesh_is_set_up() {
    play(
        r#"
name: root id, attributes and filter state of an older mesh
configuration: |
  configure: property node/id; property plugin_root_id
  new_connection: property listener_direction; property upstream_peer
inbound:
  node: { id: sidecar-1 }
  root_id: stats_inbound
  profile: legacy
  filter_state: { wasm.upstream_peer: peer }
steps:
  - connect: {}
  - expect:
      inbound:
        log:
          - property node/id = 0 sidecar-1
          - property plugin_root_id = 0 stats_inbound
          - property listener_direction = 0 \x01
          - property upstream_peer = 0 peer
"#,
    );
}

#[test]
fn filter_state_is_text_or_a_struct_on_either_connection() {
    play(
        r#"
name: what filters on both connections left
configuration: |
  downstream_data: property filter_state/downstream_peer/labels/app; property upstream_filter_state/text
outbound:
  filter_state: { downstream_peer: { workload: ratings-v2, labels: { app: ratings } } }
  upstream_filter_state: { text: peer }
steps:
  - connect: {}
  - client: { write: x }
  - expect:
      outbound:
        log:
          - property filter_state/downstream_peer/labels/app = 0 ratings
          - property upstream_filter_state/text = 0 peer
"#,
    );
}

#[test]
fn attributes_are_those_of_the_current_profile_by_default() {
    play(
        r#"
name: no root id, attributes of today
configuration: |
  configure: property node/id; property xds/node/id
outbound:
  node: { id: sidecar-1 }
steps:
  - expect:
      outbound:
        log: ["property node/id = 1 ", property xds/node/id = 0 sidecar-1]
"#,
    );
}

#[test]
fn the_fingerprint_of_the_client_hello_is_in_the_filter_state() {
    // The first message to `set_envoy_filter_state` is the ALPN "ab,c".
    play(
        r#"
name: what the client offered
mtls: { client: spiffe://client, server: spiffe://server }
outbound:
  configuration: |
    new_connection: foreign set_envoy_filter_state hex:0a23656e766f792e6e6574776f726b2e6170706c69636174696f6e5f70726f746f636f6c73120461622c631802
inbound:
  configuration: |
    new_connection: property filter_state/my.ja4
  ja4_filter_state: my.ja4
steps:
  - connect: {}
  - expect: { inbound: { log: [property filter_state/my.ja4 = 0 t12i0607ab_] } }
"#,
    );
}
