//! Runs every .wasm of a folder: `cargo run -p host-harness --example foreign -- FOLDER`.
//!
//! A file `NAME.json` beside `NAME.wasm` can configure the filter; each key is optional:
//! `{"root_id": {"inbound": "…", "outbound": "…"}, "configuration": {…}}`. The default root id is
//! `NAME`.
//!
//! The program checks that the harness loads the filter or reports a precise problem, and that no
//! byte is lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation ends the trial"
)]

use host_harness::{
    Cluster, Connection, Inspection, Module, Node, Profile, Sidecar, SidecarBuilder, StartError,
    Tls, UpstreamHost,
};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn main() {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: foreign FOLDER");
        std::process::exit(2);
    };
    let entries = std::fs::read_dir(&folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut filters: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "wasm"))
        .collect();
    filters.sort();
    assert!(!filters.is_empty(), "no .wasm in {}", folder.display());
    for filter in &filters {
        check(filter);
    }
}

fn check(path: &Path) {
    let inspection = Inspection::of_file(path).unwrap();
    let module = Module::from_file(path);
    assert_eq!(
        module.is_ok(),
        inspection.abi_version.is_some(),
        "{}: inspected as {:?}, loaded as {module:?}",
        path.display(),
        inspection.problems
    );
    let Ok(module) = module else { return };
    for profile in Profile::ALL {
        for (direction, sidecar) in [
            ("inbound", Sidecar::inbound(&module)),
            ("outbound", Sidecar::outbound(&module)),
        ] {
            let sidecar = set_up(sidecar, direction, path).profile(profile);
            let said = attempt(sidecar, &inspection);
            eprintln!("{} {direction}, {profile:?}: {said}", path.display());
        }
    }
}

/// Sets the properties that filters of a mesh read.
fn set_up(sidecar: SidecarBuilder, direction: &str, path: &Path) -> SidecarBuilder {
    let beside = std::fs::read(path.with_extension("json"));
    let wishes: Value = beside.map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    let name = path.file_stem().unwrap().to_string_lossy();
    let root = wishes.pointer(&format!("/root_id/{direction}"));
    let root = root.and_then(Value::as_str).unwrap_or(&name);
    let configuration = wishes.get("configuration");
    let configuration = configuration.map_or_else(|| "{}".to_owned(), Value::to_string);
    let sa = "spiffe://cluster.local/ns/default/sa";
    let (own, peer) = (format!("{sa}/own"), format!("{sa}/peer"));
    let metadata = json!({
        "NAME": "ratings-v2-abc", "NAMESPACE": "default", "WORKLOAD_NAME": "ratings-v2",
        "OWNER": "kubernetes://apis/apps/v1/namespaces/default/deployments/ratings-v2",
        "LABELS": {"app": "ratings", "version": "v2"}, "PLATFORM_METADATA": {},
        "ISTIO_VERSION": "1.7.0", "MESH_ID": "mesh", "CLUSTER_ID": "cluster",
    });
    let node = Node::new("sidecar~10.0.0.1~ratings-v2-abc.default~default.svc.cluster.local");
    let host = UpstreamHost::new("10.0.0.2:27017");
    sidecar
        .plugin(name.as_ref(), root, "")
        .plugin_config(configuration)
        .node(node.cluster("ratings.default").metadata(metadata))
        .cluster(Cluster::new(
            "outbound|27017||mongodb.default.svc.cluster.local",
        ))
        .upstream_host(host.metadata(json!({"istio": {"workload": "w;default;w;v1;cluster"}})))
        .downstream_tls(Tls::mutual(&own, &peer))
        .upstream_tls(Tls::mutual(own, peer))
}

/// Runs the filter and returns a description of the result.
fn attempt(sidecar: SidecarBuilder, inspection: &Inspection) -> String {
    let sidecar = match sidecar.start() {
        Ok(sidecar) => sidecar,
        Err(StartError::Load(error)) => {
            assert!(!inspection.problems.is_empty(), "{error}");
            return error.to_string();
        }
        Err(error) => return error.to_string(),
    };
    let connection = sidecar.connect();
    talk(&connection);
    sidecar.advance(Duration::from_secs(20));
    connection.client.end();
    connection.server.end();
    match sidecar.failure() {
        Some(failure) => {
            let logs: Vec<_> = sidecar.logs().iter().map(ToString::to_string).collect();
            format!("{failure}\nlogged:\n{}", logs.join("\n"))
        }
        None => {
            assert!(!connection.is_open(), "both halves have ended");
            assert!(
                connection.server.received().ends_with(b"hello"),
                "the request came last"
            );
            assert!(
                connection.client.received().ends_with(b"world"),
                "the response came last"
            );
            let series = sidecar.series().len();
            format!(
                "ran; {series} series, not there: {:?}",
                sidecar.missing_properties()
            )
        }
    }
}

fn talk(connection: &Connection) {
    connection.client.write("hello");
    connection.server.write("world");
}
