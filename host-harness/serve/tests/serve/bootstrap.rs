//! What is read of a bootstrap, and what is not.

use super::{passthrough, serve, set};
use harness_serve::Bootstrap;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::mpsc;
use testbed::Scratch;

fn upstream() -> SocketAddr {
    "127.0.0.1:1".parse().unwrap()
}

/// Why a bootstrap with this change is not served.
fn refusal(pointer: &str, value: Value) -> String {
    let mut bootstrap = passthrough(upstream());
    set(&mut bootstrap, pointer, value);
    serve(bootstrap).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_left_out_is_refused_by_its_path() {
    let listener = "/static_resources/listeners/0";
    let chain = format!("{listener}/filter_chains/0");
    let path = "static_resources.listeners[0].filter_chains[0]";
    let http = json!({ "@type": "type.googleapis.com/a.Http" });
    assert_eq!(
        refusal(
            &format!("{chain}/filters"),
            json!([{ "typed_config": http }])
        ),
        format!(
            "{path}.filters[0].typed_config is not supported: a.Http; want \
             envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
        )
    );
    assert_eq!(
        refusal(
            &format!("{chain}/filter_chain_match"),
            json!({ "server_names": ["a"] })
        ),
        format!("{path}.filter_chain_match.server_names is not supported: take it out")
    );
    let tls = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let context = json!({ "@type": format!("/{tls}"), "common_tls_context": { "validation_context": { "crl": {} } } });
    assert_eq!(
        refusal(
            &format!("{chain}/transport_socket"),
            json!({ "typed_config": context })
        ),
        format!(
            "{path}.transport_socket.typed_config.common_tls_context.validation_context.crl is not supported: \
             take it out"
        )
    );
    let kind = refusal("/static_resources/clusters/0/type", json!("STRICT_DNS"));
    assert!(
        kind.starts_with("static_resources.clusters[0].type: "),
        "{kind}"
    );
    let filters = refusal(
        &format!("{listener}/listener_filters"),
        json!([{ "typed_config": http }]),
    );
    assert!(
        filters.starts_with("static_resources.listeners[0].listener_filters[0]"),
        "{filters}"
    );
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let error = refusal("/static_resources/clusters/0/name", json!("other"));
    assert_eq!(
        error,
        "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.cluster: there is no cluster \"upstream\""
    );
}

#[test]
fn what_has_no_effect_is_warned_of_by_its_path() {
    let mut bootstrap = passthrough(upstream());
    set(
        &mut bootstrap,
        "/static_resources/listeners/0/socket_options",
        json!([]),
    );
    set(&mut bootstrap, "/layered_runtime", json!({}));
    let (lines, logged) = mpsc::channel();
    let log = move |line: &str| lines.send(line.to_owned()).unwrap();
    let server = harness_serve::Server::start(Bootstrap::from(bootstrap), 1, log);
    drop(server.unwrap());
    let mut logged: Vec<_> = logged.iter().collect();
    logged.sort();
    assert_eq!(
        logged,
        [
            "[warning] layered_runtime is not supported and has no effect",
            "[warning] static_resources.listeners[0].socket_options is not supported and has no effect",
        ]
    );
}

#[test]
fn anchors_are_followed() {
    let scratch = Scratch::new("anchors").unwrap();
    let file = scratch.path().join("envoy.yaml");
    let yaml = r#"
admin: { address: &free { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
  - &first
    name: a
    address: *free
    filter_chains:
    - filters:
      - name: tcp
        typed_config: &to
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          cluster: c
  - { name: b, address: *free, filter_chains: [{ filters: [{ typed_config: *to }] }] }
  clusters: [{ name: c }]
"#;
    std::fs::write(&file, yaml).unwrap();
    let bootstrap = Bootstrap::from_file(&file).unwrap();
    let server = harness_serve::Server::start(bootstrap, 1, |_| ()).unwrap();
    assert_eq!(server.listeners().keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_ne!(server.listener("a"), server.listener("b"));
}
