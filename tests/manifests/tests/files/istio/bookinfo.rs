//! The parts of the walk-through that run without a cluster.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use manifests::{Manifest, STAT_TAGS, WorkloadPatch};
use mesh::poll::{self, Look};
use mesh::prometheus::Prometheus;
use mesh::{Envoy, Scratch, Workload, available, workspace};
use serde_json::Value;

/// Prometheus scrapes several times before a query has a result.
const SCRAPES: Duration = Duration::from_secs(60);

fn folder() -> PathBuf {
    workspace::root().join("envoy-config/bookinfo")
}

fn file(name: &str) -> Vec<Manifest> {
    Manifest::read(&folder().join(name)).unwrap()
}

fn deployment(name: &str) -> Manifest {
    let manifests = file(name).into_iter();
    manifests
        .last()
        .filter(|manifest| manifest.kind() == "Deployment")
        .unwrap()
}

/// The workload of a deployment.
fn workload(deployment: &Manifest) -> Workload {
    let text = |pointer: &str| deployment.text(pointer).to_owned();
    Workload {
        name: deployment.name().to_owned(),
        namespace: "default".into(),
        app: text("/spec/template/metadata/labels/app"),
        version: text("/spec/template/metadata/labels/version"),
        service_account: text("/spec/template/spec/serviceAccountName"),
        cluster_id: "Kubernetes".into(),
    }
}

#[test]
fn the_deployments_have_the_names_of_the_tested_workloads() {
    assert_eq!(
        workload(&deployment("ratings-v2.yaml")),
        Workload::ratings_v2()
    );
    assert_eq!(
        workload(&deployment("mongodb.yaml")),
        Workload::bookinfo("mongodb", "v1")
    );
    let port = deployment("mongodb.yaml");
    let port = port
        .document
        .pointer("/spec/template/spec/containers/0/ports/0/containerPort");
    assert_eq!(port.and_then(Value::as_u64), Some(27017));
}

#[test]
fn the_pods_have_the_labels_and_annotations_of_the_workload_patch() {
    let patch = WorkloadPatch::read("telemetry").unwrap();
    for name in ["ratings-v2.yaml", "mongodb.yaml"] {
        let deployment = deployment(name);
        let metadata = deployment
            .document
            .pointer("/spec/template/metadata")
            .unwrap();
        assert_eq!(
            metadata["labels"]["tcp-peer-stats"],
            patch.label(),
            "{name}"
        );
        assert_eq!(
            metadata["annotations"][STAT_TAGS],
            patch.annotation(STAT_TAGS),
            "{name}"
        );
    }
}

/// The fenced blocks of the page that are PromQL.
fn queries() -> Vec<String> {
    let page = fs::read_to_string(folder().join("README.md")).unwrap();
    let blocks = page.split("```promql\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().trim().to_owned())
        .collect()
}

/// The page's queries have a result on the metrics of these sidecars.
pub(super) fn every_query_has_a_result(scratch: &Scratch, sidecars: [&Envoy; 2]) {
    let queries = queries();
    assert!(queries.len() >= 5, "{queries:?}");
    let Some(prometheus) = available(Prometheus::start(scratch, sidecars)).unwrap() else {
        return;
    };
    for query in queries {
        poll::until(&query, SCRAPES, || {
            let series = prometheus.query(&query)?;
            Ok(if series.is_empty() {
                Look::NotYet("nothing".into())
            } else {
                Look::Found(())
            })
        })
        .unwrap();
    }
}

/// Every file that a command names exists.
#[test]
fn every_file_in_the_commands_of_the_pages_exists() {
    let pages = ["bookinfo/README.md", "istio/README.md"];
    let mut named = 0;
    for page in pages.map(|page| workspace::root().join("envoy-config").join(page)) {
        let text = fs::read_to_string(&page).unwrap();
        let words =
            text.split(|character: char| character.is_whitespace() || "`()'\"".contains(character));
        for word in words.filter(|word| word.starts_with("envoy-config/")) {
            let path = workspace::root().join(word.trim_end_matches(['.', ',', ':']));
            assert!(path.exists(), "{}: {word}", page.display());
            named += 1;
        }
    }
    assert!(named > 15, "only {named}");
}
