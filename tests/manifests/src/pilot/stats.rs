//! `stats_config` of the bootstrap that Istio's agent writes for a pod.

use serde_json::{Value, json};

/// Prefixes of the stats that Istio's proxy keeps; all others are dropped.
const KEPT: [&str; 8] = [
    "reporter=",
    "cluster_manager",
    "listener_manager",
    "server",
    "cluster.xds-grpc",
    "wasm",
    "component",
    "istio",
];

/// `stats_config` for these tags: `extraStatTags` of the mesh's or the pod's proxy configuration.
#[must_use]
pub fn stats_config<'a>(tags: impl IntoIterator<Item = &'a str>) -> Value {
    let tags = tags
        .into_iter()
        .map(|tag| json!({ "tag_name": tag, "regex": format!(r"({tag}=\.=(.*?);\.;)") }));
    let kept = KEPT.map(|prefix| json!({ "prefix": prefix }));
    json!({
        "use_all_default_tags": false,
        "stats_tags": tags.collect::<Vec<_>>(),
        "stats_matcher": { "inclusion_list": { "patterns": kept } },
    })
}
