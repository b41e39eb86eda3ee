//! Filter chains, Envoy's own filters, and tcp_proxy's limits, as scenarios. The differential tests
//! compare random programs of the same features with Envoy.

use super::probe_module;
use host_harness::scenario::{Emulated, Scenario, run};

/// Plays a scenario of the probe filter.
pub(super) fn play(yaml: &str) -> Emulated {
    let scenario = Scenario::parse(yaml).unwrap();
    let mut stage = Emulated::start(&scenario, &probe_module()).unwrap();
    run(&scenario, &mut stage).unwrap();
    stage
}

/// The names of the plugins whose filters saw a connection.
fn plugins(stage: &Emulated) -> Vec<String> {
    let sidecars = stage.sidecars();
    let lines = sidecars.iter().flat_map(|(_, sidecar)| sidecar.logs());
    let opened = lines.filter(|line| line.message.contains("new_connection("));
    opened.map(|line| line.plugin).collect()
}

#[test]
fn server_name_and_alpn_choose_the_chain() {
    let chosen = |server_name: &str, alpn: &str| {
        let stage = play(&format!(
            "
name: chains
mtls: {{ client: spiffe://c, server: spiffe://s, server_name: '{server_name}', offered_alpn: [{alpn}] }}
outbound: {{ filter: false }}
inbound:
  chains:
    - server_names: ['*.test']
      filters: [wasm: {{ name: by-name }}]
    - application_protocols: [h2]
      filters: [wasm: {{ name: by-alpn }}]
    - filters: [wasm: {{ name: any }}]
steps: [connect: {{}}]
"
        ));
        plugins(&stage).concat()
    };
    assert_eq!(chosen("a.test", "h2"), "by-name");
    assert_eq!(chosen("a.other", "h2"), "by-alpn");
    assert_eq!(chosen("a.other", "x"), "any");
}

#[test]
fn without_tls_the_choice_of_a_chain_waits_for_the_first_bytes() {
    let stage = play(
        "
name: inspected
inbound:
  chains:
    - transport_protocol: tls
      filters: [wasm: { name: tls }]
    - transport_protocol: raw_buffer
      filters: [wasm: { name: raw }]
steps:
  - connect: {}
  - expect: { inbound: { log: ['configure('] }, client: { ended: false } }
  # The header of a TLS record has five bytes.
  - client: { write: abcd }
  - expect: { server: { received: '' } }
  - client: { write: e }
  - expect: { server: { received: abcde } }
  - connect: { connection: silent }
  - client: { connection: silent, end: true }
  - expect: { connection: silent, client: { ended: true } }
",
    );
    assert_eq!(plugins(&stage), ["raw"]);
}

#[test]
fn rbac_closes_at_the_first_bytes() {
    let stage = play(
        "
name: rbac
mtls: { client: [spiffe://a, spiffe://b], server: spiffe://s }
outbound: { filter: false }
inbound:
  filters:
    - rbac: { action: DENY, principals: [spiffe://b] }
    - wasm: { name: behind }
steps:
  - connect: {}
  - expect: { client: { ended: false } }
  - client: { write: a }
  - expect: { client: { ended: true }, server: { received: '' } }
",
    );
    assert_eq!(plugins(&stage), ["behind"]);
}

#[test]
fn a_filter_chooses_the_cluster_of_tcp_proxy() {
    play(
        "
name: clusters
configuration: 'downstream_data: property xds/cluster_name'
outbound:
  cluster: { name: main }
  clusters: [{ name: other, max_connections: 1 }]
  filters:
    - set_filter_state: { envoy.tcp_proxy.cluster: other }
    - wasm: {}
steps:
  - connect: { connection: first }
  - client: { connection: first, write: a }
  - expect: { connection: first, server: { received: a }, outbound: { log: ['xds/cluster_name = 0 other'] } }
  - connect: { connection: second }
  - expect: { connection: second, client: { ended: true } }
  - client: { connection: first, reset: true }
  - connect: { connection: third }
  - client: { connection: third, write: b }
  - expect: { connection: third, server: { received: b } }
",
    );
}

#[test]
fn a_limit_of_connections_counts_open_ones() {
    play(
        "
name: limit
outbound: { filters: [{ connection_limit: { max_connections: 1 } }, { wasm: {} }] }
steps:
  - connect: { connection: first }
  - connect: { connection: second }
  - expect: { connection: second, client: { ended: true } }
  - client: { connection: first, reset: true }
  - connect: { connection: third }
  - client: { connection: third, write: a }
  - expect: { connection: third, server: { received: a } }
",
    );
}

#[test]
fn bytes_that_a_filter_holds_back_do_not_prolong_the_idle_timeout() {
    play(
        "
name: idle
configuration: 'downstream_data: pause'
outbound: { idle_timeout: 10s }
steps:
  - connect: {}
  - advance: 6s
  - client: { write: a }
  - advance: 3s
  - expect: { client: { ended: false } }
  - server: { write: b }
  - advance: 9s
  - expect: { client: { received: b, ended: false } }
  - advance: 1s
  - expect: { client: { ended: true } }
",
    );
}

#[test]
fn a_full_read_buffer_is_not_read_until_it_is_half_empty() {
    play(
        "
name: limit
configuration: 'downstream_data#1: pause'
outbound: { buffer_limit: 4 }
steps:
  - connect: {}
  - client: { write: abcde }
  - client: { write: f }
  - expect: { server: { received: '' }, outbound: { log: ['downstream_data(5, false)'] } }
",
    );
    // Below the limit, the second write is an event.
    play(
        "
name: no limit
configuration: 'downstream_data#1: pause'
outbound: { buffer_limit: 5 }
steps:
  - connect: {}
  - client: { write: abcde }
  - client: { write: f }
  - expect: { server: { received: abcdef } }
",
    );
}

#[test]
fn an_update_leaves_open_connections_to_the_drain() {
    play(
        "
name: update
configuration: 'upstream_data: set upstream 0 0 old-'
outbound: {}
steps:
  - connect: { connection: old }
  - update: { side: outbound, configuration: 'upstream_data: set upstream 0 0 new-' }
  - connect: { connection: new }
  - server: { connection: old, write: a }
  - server: { connection: new, write: a }
  - expect: { connection: old, client: { received: old-a } }
  - expect: { connection: new, client: { received: new-a } }
  - drain: outbound
  - expect: { connection: old, client: { ended: true } }
  - expect: { connection: new, client: { ended: false } }
",
    );
}

#[test]
fn an_expectation_may_be_a_set() {
    let yaml = "
name: one of two
outbound: {}
steps:
  - connect: {}
  - client: { write: a }
  - expect: { one_of: [{ server: { received: b } }, { server: { received: a } }] }
";
    play(yaml);
    let wrong = yaml.replace("received: a", "received: c");
    let scenario = Scenario::parse(&wrong).unwrap();
    let mut stage = Emulated::start(&scenario, &probe_module()).unwrap();
    let failure = run(&scenario, &mut stage).unwrap_err().to_string();
    assert!(
        failure.contains("none of the alternatives holds"),
        "{failure}"
    );
}

#[test]
fn a_failure_may_be_one_of_several_effects() {
    let yaml = |script: &str| {
        format!(
            "
name: one of two
configuration: '{script}'
outbound: {{}}
steps:
  - connect: {{}}
  - client: {{ write: a }}
  - expect: {{ one_of: [{{ server: {{ received: a }} }}, {{ failure: trapped }}] }}
"
        )
    };
    play(&yaml(""));
    play(&yaml("downstream_data: trap"));
    play(&yaml("upstream_data: trap"));
}

// Shows: host-harness/src/manual.md, "closes a connection that no chain"
#[test]
fn an_only_chain_with_a_condition_does_not_match_every_connection() {
    let tls =
        "mtls: { client: spiffe://c, server: spiffe://s, server_name: a.test, offered_alpn: [h2] }";
    for (tls, condition, is_matched) in [
        (tls, "server_names: [a.test]", true),
        (tls, "server_names: [b.test]", false),
        (tls, "application_protocols: [h2]", true),
        (tls, "application_protocols: [istio]", false),
        (tls, "transport_protocol: tls", true),
        (tls, "transport_protocol: raw_buffer", false),
        ("", "server_names: [a.test]", false),
        ("", "application_protocols: [h2]", false),
        ("", "transport_protocol: tls", false),
        ("", "transport_protocol: raw_buffer", true),
    ] {
        // The client's own sidecar makes no difference.
        for other in ["", "outbound: { filter: false }"] {
            let stage = play(&format!(
                "
name: one chain
{tls}
{other}
inbound: {{ chains: [{{ {condition}, filters: [wasm: {{ name: only }}] }}] }}
steps:
  - connect: {{}}
  - client: {{ write: hello }}
  - expect: {{ client: {{ ended: {} }} }}
",
                !is_matched
            ));
            let seen = plugins(&stage);
            let expected = if is_matched { &["only"][..] } else { &[] };
            assert_eq!(seen, expected, "{tls} {condition} {other}");
        }
    }
}
