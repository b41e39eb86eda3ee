//! The snippets for Consul and for Envoy Gateway, loaded by real Envoy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::Path;

use manifests::{Manifest, consul, json_patch};
use serde_json::{Value, json};
use testbed::bootstrap::Bootstrap;
use testbed::mesh_ca::MeshCa;
use testbed::tools::EnvoyBinary;
use testbed::{Envoy, Scratch, Workload, wasm, workspace};

fn read(path: &str) -> Vec<Manifest> {
    Manifest::read(&workspace::root().join("envoy-config").join(path)).unwrap()
}

fn load(scratch: &Scratch, bootstrap: &Bootstrap) -> testbed::Result<()> {
    Envoy::validate(
        &EnvoyBinary::find(None)?,
        "elsewhere",
        bootstrap,
        scratch.path(),
    )
}

/// The module's file in a pod, here.
fn local(filter: &mut Value, wasm: &Path) {
    let file = filter
        .pointer_mut("/typed_config/config/vm_config/code/local/filename")
        .unwrap();
    assert_eq!(*file, "/var/lib/tcp-peer-stats/tcp_peer_stats.wasm");
    *file = json!(wasm);
}

/// A sidecar of ours with Consul's filter in the place of its own and Consul's `stats_config`.
fn consul_sidecar(listeners: &str, filter: &Value, stats: &Value, scratch: &Scratch) -> Bootstrap {
    let (mut bootstrap, workload) = match listeners {
        "inbound" => (
            Bootstrap::server_sidecar().unwrap(),
            Workload::bookinfo("mongodb", "v1"),
        ),
        "outbound" => (Bootstrap::client_sidecar().unwrap(), Workload::ratings_v2()),
        other => panic!("{other}"),
    };
    let ca = MeshCa::create(&scratch.folder("ca").unwrap()).unwrap();
    bootstrap
        .run_as(&workload, &ca.issue(&workload).unwrap())
        .unwrap();
    bootstrap.filter(Path::new(""), None);
    let document = bootstrap.document_mut();
    document["stats_config"] = stats.clone();
    for (index, listener) in document["static_resources"]["listeners"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        // Two of them on one port 0 are refused.
        listener["address"]["socket_address"]["port_value"] = json!(20_000 + index);
        for chain in listener["filter_chains"].as_array_mut().unwrap() {
            chain["filters"]
                .as_array_mut()
                .unwrap()
                .insert(0, filter.clone());
        }
    }
    bootstrap
}

#[test]
fn envoy_loads_what_consul_makes_of_its_entries() {
    let scratch = Scratch::new("consul").unwrap();
    let wasm = wasm::build().unwrap();
    let stats = &read("consul/proxy-defaults.yaml")[0];
    let stats: Value =
        serde_json::from_str(stats.text("/spec/config/envoy_stats_config_json")).unwrap();
    let mut sides = Vec::new();
    for manifest in read("consul/service-defaults.yaml") {
        for (listeners, mut filter) in consul::filters(&manifest).unwrap() {
            assert_eq!(
                filter["typed_config"]["config"]["fail_open"], false,
                "{manifest}"
            );
            local(&mut filter, &wasm);
            load(
                &scratch,
                &consul_sidecar(&listeners, &filter, &stats, &scratch),
            )
            .unwrap();
            filter["typed_config"]["config"]["configuration"]["value"] =
                json!("{ \"peer_exchange\": { \"mode\": \"maybe\" } }");
            let refusal = load(
                &scratch,
                &consul_sidecar(&listeners, &filter, &stats, &scratch),
            );
            let refusal = refusal.unwrap_err().to_string();
            assert!(refusal.contains("maybe"), "{refusal}");
            sides.push(listeners);
        }
    }
    assert_eq!(sides, ["inbound", "outbound"]);
}

#[test]
fn an_entry_that_consul_would_not_understand_is_refused() {
    let mut manifest = read("consul/service-defaults.yaml").remove(0);
    let arguments = &mut manifest.document["spec"]["envoyExtensions"][0]["arguments"];
    arguments["pluginConfig"]["rootId"] = arguments["pluginConfig"]
        .as_object_mut()
        .unwrap()
        .remove("rootID")
        .unwrap();
    let refusal = consul::filters(&manifest).unwrap_err().to_string();
    assert!(
        refusal.contains("/arguments/pluginConfig/rootId"),
        "{refusal}"
    );
}

/// A gateway's bootstrap and the listener that Envoy Gateway makes for a TCPRoute, both as far as the snippets touch them.
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

#[test]
fn envoy_loads_what_envoy_gateway_makes_of_its_policies() {
    let scratch = Scratch::new("envoy-gateway").unwrap();
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
    load(&scratch, &Bootstrap::from(bootstrap.clone())).unwrap();

    let filter =
        &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    filter["typed_config"]["config"]["configuration"]["value"] = json!("{ \"mode\": \"off\" }");
    let refusal = load(&scratch, &Bootstrap::from(bootstrap))
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("mode"), "{refusal}");
}

/// The tags are the same everywhere.
#[test]
fn the_tags_are_those_of_the_bootstraps() {
    let bootstrap = Bootstrap::client_sidecar().unwrap();
    let expected = &bootstrap.document()["stats_config"]["stats_tags"];
    let stats = &read("consul/proxy-defaults.yaml")[0];
    let stats: Value =
        serde_json::from_str(stats.text("/spec/config/envoy_stats_config_json")).unwrap();
    assert_eq!(
        stats["stats_tags"].as_array().unwrap()[1..],
        expected.as_array().unwrap()[..]
    );
    let proxy = &read("envoy-gateway/envoy-proxy.yaml")[0];
    let merge: Value = serde_saphyr::from_str(proxy.text("/spec/bootstrap/value")).unwrap();
    assert_eq!(&merge["stats_config"]["stats_tags"], expected);
}
