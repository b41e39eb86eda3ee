//! How a Prometheus scrapes the pods.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kubelet::{Metadata, Pod};

/// The port of the Prometheus of a kept demo, in its namespaces.
pub const PORT: u16 = 9090;

/// The scraping of annotated pods. Debian's Prometheus has no discovery in Kubernetes, so the pods
/// come with the labels that the discovery would give them.
#[must_use]
pub fn configuration(pods: &[&Pod]) -> Value {
    let meta = |name: &str| format!("__meta_kubernetes_pod_{name}");
    let annotation = |name: &str| meta(&format!("annotation_prometheus_io_{name}"));
    let target = |pod: &&Pod| {
        let Metadata {
            name,
            namespace,
            annotations,
            ..
        } = &pod.spec().metadata;
        let mut labels = BTreeMap::from([
            (meta("name"), name.clone()),
            (meta("ip"), pod.address().to_string()),
            ("__meta_kubernetes_namespace".to_owned(), namespace.clone()),
        ]);
        for (name, value) in annotations {
            if let Some(name) = name.strip_prefix("prometheus.io/") {
                labels.insert(annotation(name), value.clone());
            }
        }
        json!({ "targets": [pod.address().to_string()], "labels": labels })
    };
    json!([{
        "job_name": "kubernetes-pods",
        "static_configs": pods.iter().map(target).collect::<Vec<_>>(),
        "relabel_configs": [
            { "source_labels": [annotation("scrape")], "action": "keep", "regex": "true" },
            { "source_labels": [annotation("path")], "target_label": "__metrics_path__", "regex": "(.+)" },
            {
                "source_labels": [annotation("port"), meta("ip")],
                "target_label": "__address__",
                "regex": "(\\d+);(.+)",
                "replacement": "$2:$1",
            },
            { "source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace" },
            { "source_labels": [meta("name")], "target_label": "pod" },
        ],
    }])
}
