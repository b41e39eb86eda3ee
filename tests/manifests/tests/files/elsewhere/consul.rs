//! Consul's config entries.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use manifests::consul;
use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::bootstrap::Bootstrap;
use mesh::labels;
use mesh::mesh_ca::MeshCa;
use mesh::poll::{self, Look};
use mesh::{Envoy, Scratch, Workload, wasm};
use serde_json::{Value, json};

use super::support::{local, read, tags};

/// The `stats_config` of every proxy.
fn stats() -> Value {
    let defaults = &read("consul/proxy-defaults.yaml")[0];
    serde_json::from_str(defaults.text("/spec/config/envoy_stats_config_json")).unwrap()
}

/// A sidecar of `envoy-config/` with Consul's filter instead of its own, and Consul's
/// `stats_config`.
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
        .run_as(&workload, &workload.certificate(&ca).unwrap())
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
        // Envoy rejects two listeners with the same address and port 0.
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

/// The cluster that the client's entry names.
const CONSUL_CLUSTER: &str =
    "mongodb.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul";

/// Changes the bootstrap to Consul's form: one chain, mutual TLS with Consul's certificates, no
/// match on an ALPN, clusters and hosts without metadata.
fn as_consul(bootstrap: &mut Bootstrap, trust: &str, ca: &MeshCa, service: &str) {
    let identity = ca
        .issue_for_uri(service, &format!("{trust}/ns/default/dc/dc1/svc/{service}"))
        .unwrap();
    let text = bootstrap.document().to_string();
    let text = text.replace(
        "spiffe://cluster.local/ns/default/sa/bookinfo-mongodb",
        &format!("{trust}/ns/default/dc/dc1/svc/mongodb"),
    );
    let text = text.replace("spiffe://cluster.local/", &format!("{trust}/"));
    let text = text.replace(
        "outbound|27017||mongodb.default.svc.cluster.local",
        CONSUL_CLUSTER,
    );
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let workload = document["node"].clone();
    let listener = &mut document["static_resources"]["listeners"][0];
    listener["filter_chains"]
        .as_array_mut()
        .unwrap()
        .retain(|chain| {
            chain
                .pointer("/filter_chain_match/application_protocols")
                .is_none()
        });
    let cluster = &mut document["static_resources"]["clusters"][0];
    cluster.as_object_mut().unwrap().remove("metadata");
    let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
    endpoint.as_object_mut().unwrap().remove("metadata");
    for kind in ["listeners", "clusters"] {
        document["static_resources"][kind]
            .as_array_mut()
            .unwrap()
            .truncate(1);
    }
    *bootstrap = Bootstrap::from(document);
    bootstrap
        .run_as(&Workload::bookinfo(service, "v1"), &identity)
        .unwrap();
    bootstrap.document_mut()["node"] = workload;
}

#[test]
fn sidecars_of_consul_exchange_the_metadata_of_their_nodes() {
    let scratch = Scratch::new("consul-run").unwrap();
    let (wasm, binary) = (wasm::build().unwrap(), EnvoyBinary::find(None).unwrap());
    let ca = MeshCa::create(&scratch.folder("consul-ca").unwrap()).unwrap();
    let trust = "spiffe://11111111-2222-3333-4444-555555555555.consul";
    let stats = stats();
    let app = App::start(apps::hello).unwrap();
    let mut target = app.address();
    let mut envoys = Vec::new();
    for (manifest, (service, listener)) in read("consul/service-defaults.yaml")
        .iter()
        .zip([("mongodb", "virtualInbound"), ("ratings", "mongodb")])
    {
        let (listeners, mut filter) = consul::filters(manifest).unwrap().remove(0);
        assert_eq!(filter["typed_config"]["config"]["fail_open"], false);
        local(&mut filter, &wasm);
        let mut bootstrap = consul_sidecar(&listeners, &filter, &stats, &scratch);
        as_consul(&mut bootstrap, trust, &ca, service);
        let endpoint = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        *bootstrap.document_mut().pointer_mut(endpoint).unwrap() =
            json!({ "address": "127.0.0.1", "port_value": target.port() });
        let envoy =
            Envoy::start(&binary, service, bootstrap.document(), 1, scratch.path()).unwrap();
        target = envoy.listener(listener).unwrap();
        envoys.push(envoy);
    }
    let stream = TcpStream::connect(target).unwrap();
    (&stream).write_all(b"consul\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    (&stream).read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "hello consul\n");
    let principal = |service: &str| format!("{trust}/ns/default/dc/dc1/svc/{service}");
    for envoy in &envoys {
        let series = poll::until("the exchanged labels", Duration::from_secs(30), || {
            let metrics = envoy.metrics()?;
            Ok(match metrics.one(labels::OPENED, &[]) {
                Ok(series) => Look::Found(series.labels.clone()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        });
        let series = series.unwrap();
        assert_eq!(series["source_workload"], "ratings-v2");
        assert_eq!(series["destination_workload"], "mongodb-v1");
        assert_eq!(series["source_principal"], principal("ratings"));
        assert_eq!(series["destination_principal"], principal("mongodb"));
        assert_eq!(series["source_workload_namespace"], "default");
        // The client's sidecar takes the service from the cluster's name, the server's sidecar from
        // its own workload.
        let service = match series["reporter"].as_str() {
            "source" => CONSUL_CLUSTER,
            _ => "mongodb",
        };
        assert_eq!(series["destination_service"], service);
        assert_eq!(series["destination_service_name"], "mongodb");
        assert_eq!(series["destination_service_namespace"], "default");
    }
}

#[test]
fn an_entry_with_an_unknown_argument_is_rejected() {
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

/// The tags follow Consul's own tag.
#[test]
fn the_tags_are_those_of_the_bootstraps() {
    assert_eq!(stats()["stats_tags"].as_array().unwrap()[1..], tags());
}
