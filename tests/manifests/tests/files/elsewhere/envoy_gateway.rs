//! Envoy Gateway's policies.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use manifests::json_patch;
use mesh::EnvoyBinary;
use mesh::bootstrap::Bootstrap;
use mesh::poll::{self, Look};
use mesh::{Envoy, Scratch, labels, wasm};
use serde_json::{Value, json};

use super::support::{load, local, read, tags};

/// A gateway's bootstrap and the listener that Envoy Gateway generates for a TCPRoute, with the
/// parts that the snippets change.
fn gateway() -> (Value, Value) {
    let bootstrap = json!({
        "node": { "id": "gateway", "cluster": "default/eg" },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "clusters": [{ "name": "tcproute/default/mongodb/rule/-1", "type": "STATIC" }] },
    });
    let listener = json!({
        "name": "default/eg/mongodb",
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 27017 } },
        "filter_chains": [{
            "name": "tcproute/default/mongodb",
            "filters": [{
                "name": "envoy.filters.network.tcp_proxy",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": "tcp-27017",
                    "cluster": "tcproute/default/mongodb/rule/-1",
                },
            }],
        }],
        "per_connection_buffer_limit_bytes": 32768,
    });
    (bootstrap, listener)
}

/// The gateway with both snippets applied.
fn patched() -> Value {
    let wasm = wasm::build().unwrap();
    let (mut bootstrap, mut listener) = gateway();
    let policy = &read("envoy-gateway/envoy-patch-policy.yaml")[0];
    for patch in policy.document["spec"]["jsonPatches"].as_array().unwrap() {
        assert_eq!(
            patch["type"],
            "type.googleapis.com/envoy.config.listener.v3.Listener"
        );
        assert_eq!(patch["name"], listener["name"]);
        json_patch::apply(&json!([patch["operation"]]), &mut listener).unwrap();
    }
    local(&mut listener["filter_chains"][0]["filters"][0], &wasm);
    bootstrap["static_resources"]["listeners"] = json!([listener]);

    let proxy = &read("envoy-gateway/envoy-proxy.yaml")[0];
    let merge: Value = serde_saphyr::from_str(proxy.text("/spec/bootstrap/value")).unwrap();
    bootstrap["node"]["metadata"] = merge["node"]["metadata"].clone();
    bootstrap["stats_config"] = merge["stats_config"].clone();
    assert_eq!(merge.as_object().unwrap().len(), 2);
    bootstrap
}

#[test]
fn envoy_loads_the_configuration_of_envoy_gateways_policies() {
    let scratch = Scratch::new("envoy-gateway").unwrap();
    let mut bootstrap = patched();
    load(&scratch, &Bootstrap::from(bootstrap.clone())).unwrap();

    let filter =
        &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    filter["typed_config"]["config"]["configuration"]["value"] = json!("{ \"mode\": \"off\" }");
    let refusal = load(&scratch, &Bootstrap::from(bootstrap))
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("mode"), "{refusal}");
}

/// The clusters of Envoy Gateway have no metadata with a host, so the service name is the cluster's
/// name.
#[test]
fn the_service_name_of_a_route_is_its_cluster() {
    let scratch = Scratch::new("envoy-gateway-run").unwrap();
    let mut bootstrap = patched();
    let port = "/static_resources/listeners/0/address/socket_address/port_value";
    *bootstrap.pointer_mut(port).unwrap() = json!(0);
    let binary = EnvoyBinary::find(None).unwrap();
    let bootstrap = Bootstrap::from(bootstrap);
    let envoy = Envoy::start(&binary, "gateway", bootstrap.document(), 1, scratch.path()).unwrap();
    let mut client = TcpStream::connect(envoy.listener("default/eg/mongodb").unwrap()).unwrap();
    // The route has no host: the connection is closed or reset.
    let _ended = client.read(&mut [0; 1]);
    let series = poll::until("the connection", Duration::from_secs(30), || {
        Ok(match envoy.metrics()?.one(labels::CLOSED, &[]) {
            Ok(series) => Look::Found(series.labels.clone()),
            Err(error) => Look::NotYet(error.to_string()),
        })
    });
    let series = series.unwrap();
    let route = "tcproute/default/mongodb/rule/-1";
    assert_eq!(series["destination_service"], route);
    assert_eq!(series["destination_service_name"], route);
    assert_eq!(series["response_flags"], "UH");
}

#[test]
fn the_tags_are_those_of_the_bootstraps() {
    let proxy = &read("envoy-gateway/envoy-proxy.yaml")[0];
    let merge: Value = serde_saphyr::from_str(proxy.text("/spec/bootstrap/value")).unwrap();
    assert_eq!(merge["stats_config"]["stats_tags"], json!(tags()));
}
