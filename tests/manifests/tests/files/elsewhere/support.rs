//! Functions for the tests of the snippets.

use std::path::Path;

use manifests::Manifest;
use mesh::bootstrap::Bootstrap;
use mesh::workspace;
use serde_json::{Value, json};

pub(super) fn read(path: &str) -> Vec<Manifest> {
    Manifest::read(&workspace::root().join("envoy-config").join(path)).unwrap()
}

/// Replaces the path of the module in a pod by a local path.
pub(super) fn local(filter: &mut Value, wasm: &Path) {
    let file = filter
        .pointer_mut("/typed_config/config/vm_config/code/local/filename")
        .unwrap();
    assert_eq!(*file, "/var/lib/tcp-peer-stats/tcp_peer_stats.wasm");
    *file = json!(wasm);
}

/// The tags of `client-sidecar.yaml`, which every snippet repeats.
pub(super) fn tags() -> Vec<Value> {
    let bootstrap = Bootstrap::client_sidecar().unwrap();
    bootstrap.document()["stats_config"]["stats_tags"]
        .as_array()
        .unwrap()
        .clone()
}
