//! Envoy Gateway's policies, and what Envoy Gateway configures for them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::bootstrap::Bootstrap;
use mesh::poll::{self, Look};
use mesh::{Envoy, Scratch, labels, wasm, workspace};
use serde_json::{Value, json};

use super::support::{local, read, tags};

/// The listener and the cluster that Envoy Gateway configured, as `cargo istio golden` writes them.
fn configured() -> [Value; 2] {
    let path = workspace::root().join("tests/istio/golden/envoy-gateway.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    ["listener", "cluster"].map(|name| document[name].take())
}

/// Envoy Gateway merges this into the bootstrap of its Envoys.
fn bootstrap() -> Value {
    let proxy = &read("envoy-gateway/envoy-proxy.yaml")[0];
    serde_saphyr::from_str(proxy.text("/spec/bootstrap/value")).unwrap()
}

#[test]
fn the_listener_has_the_patches_of_the_policy() {
    let [listener, _] = configured();
    let policy = &read("envoy-gateway/envoy-patch-policy.yaml")[0];
    let patches = policy.document["spec"]["jsonPatches"].as_array().unwrap();
    assert_eq!(patches.len(), 2);
    for patch in patches {
        assert_eq!(patch["name"], listener["name"]);
        let operation = &patch["operation"];
        let place = operation["path"].as_str().unwrap();
        assert_eq!(
            listener.pointer(place),
            Some(&operation["value"]),
            "{place}"
        );
    }
}

/// The clusters of Envoy Gateway have no metadata with a host, so the service name is the cluster's
/// name.
#[test]
fn the_service_name_of_a_route_is_its_cluster() {
    let scratch = Scratch::new("envoy-gateway-run").unwrap();
    let app = App::start(apps::hello).unwrap();
    let [mut listener, mut cluster] = configured();
    local(
        &mut listener["filter_chains"][0]["filters"][0],
        &wasm::build().unwrap(),
    );
    let port = listener.pointer_mut("/address/socket_address/port_value");
    *port.unwrap() = json!(0);
    let address = json!({ "address": app.address().ip(), "port_value": app.address().port() });
    let endpoint = json!({ "endpoint": { "address": { "socket_address": address } } });
    cluster
        .as_object_mut()
        .unwrap()
        .remove("eds_cluster_config");
    cluster["type"] = json!("STATIC");
    cluster["load_assignment"] = json!({
        "cluster_name": cluster["name"],
        "endpoints": [{ "lb_endpoints": [endpoint] }],
    });
    for resource in [&mut listener, &mut cluster] {
        resource.as_object_mut().unwrap().remove("@type");
    }
    let mut document = bootstrap();
    document["node"]["id"] = json!("gateway");
    document["node"]["cluster"] = json!("default/eg");
    document["admin"] =
        json!({ "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } });
    document["static_resources"] = json!({ "listeners": [listener], "clusters": [cluster] });
    let document = Bootstrap::from(document);
    let binary = EnvoyBinary::find(None).unwrap();
    let envoy = Envoy::start(&binary, "gateway", document.document(), 1, scratch.path()).unwrap();
    let mut address = envoy.listener("default/eg/mongodb").unwrap();
    address.set_ip([127, 0, 0, 1].into());
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"gateway\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello gateway\n");
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
    assert_eq!(series["source_workload"], "edge-gateway");
    assert_eq!(series["reporter"], "source");
}

#[test]
fn the_tags_are_those_of_the_bootstraps() {
    assert_eq!(bootstrap()["stats_config"]["stats_tags"], json!(tags()));
}
