//! The pods and the mesh configuration have the stats tags of the bootstraps.

use std::collections::BTreeSet;

use manifests::{Manifest, WorkloadPatch};
use mesh::bootstrap::Bootstrap;
use mesh::workspace;
use serde_json::Value;

#[test]
fn the_tags_are_those_of_the_bootstraps() {
    let bootstrap = Bootstrap::client_sidecar().unwrap();
    let tags = bootstrap
        .document()
        .pointer("/stats_config/stats_tags")
        .unwrap();
    let expected: BTreeSet<String> = tags
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["tag_name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(expected.len(), 24, "23 labels and `result`");
    let server = Bootstrap::server_sidecar().unwrap();
    let of_the_server = server.document().pointer("/stats_config/stats_tags");
    assert_eq!(of_the_server, Some(tags));
    for name in ["telemetry", "exchange"] {
        let tags = WorkloadPatch::read(name).unwrap().tags();
        assert_eq!(
            tags.into_iter().collect::<BTreeSet<_>>(),
            expected,
            "{name}"
        );
    }
    let mesh =
        Manifest::read(&workspace::root().join("envoy-config/istio/mesh-config.yaml")).unwrap();
    let tags = mesh[0]
        .document
        .pointer("/meshConfig/defaultConfig/extraStatTags")
        .unwrap();
    let tags = tags
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag.as_str().unwrap().to_owned());
    assert_eq!(tags.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_module_is_in_the_mounted_volume() {
    let patch = WorkloadPatch::read("exchange").unwrap();
    let parse = |name: &str| -> Value { serde_json::from_str(patch.annotation(name)).unwrap() };
    let (volume, mount) = (
        parse("sidecar.istio.io/userVolume"),
        parse("sidecar.istio.io/userVolumeMount"),
    );
    assert_eq!(volume[0]["name"], mount[0]["name"]);
    assert_eq!(volume[0]["configMap"]["name"], "tcp-peer-stats");
    let folder = mount[0]["mountPath"].as_str().unwrap();
    for side in ["client", "server"] {
        let path = workspace::root().join(format!("envoy-config/istio/base/exchange/{side}.yaml"));
        let filter = Manifest::read(&path).unwrap();
        let file = filter[0].text(
            "/spec/configPatches/0/patch/value/typed_config/config/vm_config/code/local/filename",
        );
        assert_eq!(file, format!("{folder}/tcp_peer_stats.wasm"));
    }
}
