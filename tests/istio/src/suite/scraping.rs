//! The way of the metrics to Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::labels::OPENED;
use mesh::prometheus::Prometheus;
use mesh::{Exposition, Scratch};
use serde_json::{Value, json};

use super::bench::{Bench, NAMESPACE};
use super::expect;
use super::measure::{NUMBER, Place, measure};
use crate::cluster::settle;
use crate::error::{Error, Result};
use crate::kubelet::{Metadata, Pod};

/// The time until Prometheus has found the pods and scraped them.
const LIMIT: Duration = Duration::from_secs(60);
/// The query of Istio's task about TCP metrics.
const QUERY: &str = "istio_tcp_connections_opened_total";

/// Prometheus reads the agent's merged metrics, at the address in the injected annotations.
pub(super) fn merged(bench: &mut Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let mut compared = 0;
    for pod in [bench.client(), &bench.server()?.pod] {
        let annotation = |name: &str| {
            let found = pod.spec().metadata.annotations.get(name);
            found.ok_or_else(|| Error::object(pod.name(), format!("it has no annotation {name}")))
        };
        let port = annotation("prometheus.io/port")?;
        let path = annotation("prometheus.io/path")?;
        let url = format!("http://{}:{port}{path}", pod.address());
        let merged = Exposition::parse(&pod.get(&url)?)?;
        let own = pod.metrics()?;
        for series in own.named(OPENED) {
            let same = merged.named(OPENED).any(|other| other == series);
            expect::holds(same, || format!("{url} has no {series}"))?;
            compared += 1;
        }
        let twice = merged.duplicates();
        expect::holds(twice.is_empty(), || {
            format!("{url} has a series twice: {twice:?}")
        })?;
    }
    expect::holds(compared >= 2, || format!("{compared} series"))?;
    Ok(format!(
        "{compared} series of {NAMESPACE} at the agents' ports, as at Envoy's"
    ))
}

/// A Prometheus with the relabelling that its chart has for annotated pods.
pub(super) fn prometheus(bench: &mut Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let scratch = Scratch::new_in(bench.work(), "prometheus")?;
    let pods = [bench.client(), &bench.server()?.pod];
    let prometheus = Prometheus::start_with(&scratch, &configuration(&pods))?;
    let mut expected = BTreeMap::new();
    for pod in pods {
        expected.insert(pod.name().to_owned(), pod.metrics()?.sum(OPENED, &[]));
    }
    let mut found = BTreeMap::new();
    settle("the metrics in Prometheus", LIMIT, || {
        let answer = prometheus.query(&format!(
            "sum by (pod) ({QUERY}{{namespace=\"{NAMESPACE}\"}})"
        ))?;
        found = answer
            .into_iter()
            .filter_map(|series| Some((series.labels.get("pod")?.clone(), series.value)))
            .filter(|(pod, _)| expected.contains_key(pod))
            .collect();
        Ok(found == expected)
    })?;
    expect::equal("connections by pod", &found, &expected)?;
    let unhealthy = prometheus.unhealthy_rules()?;
    expect::equal("rules that fail", unhealthy, vec![])?;
    let sum: f64 = expected.values().sum();
    Ok(format!(
        "{sum} connections of {} pods, as at their Envoys; all rules healthy",
        expected.len()
    ))
}

/// The scraping of annotated pods. Debian's Prometheus has no discovery in Kubernetes, so the pods
/// come with the labels that the discovery would give them.
fn configuration(pods: &[&Pod]) -> Value {
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
