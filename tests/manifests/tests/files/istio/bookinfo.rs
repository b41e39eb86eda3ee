//! The parts of the walk-through that run without a cluster.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use manifests::pair::Pair;
use manifests::{Manifest, STAT_TAGS, WorkloadPatch};
use mesh::apps::{self, App};
use mesh::labels::OPENED;
use mesh::poll::{self, Look};
use mesh::prometheus::Prometheus;
use mesh::{Scratch, Workload, available, wasm, workspace};
use serde_json::Value;

use super::running::converse;
use super::support::Install;

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

struct Walk {
    pair: Pair,
    scratch: Scratch,
    _app: App,
}

/// Starts ratings-v2 and mongodb with this installation and these destination rules, and sends a
/// few connections.
fn walk(install: Install, rules: &str) -> Walk {
    let scratch = Scratch::new("walk-through").unwrap();
    let app = App::start(apps::hello).unwrap();
    let (mut client, server, _) = install.sidecars();
    let hits = client.apply(&file(rules)).unwrap();
    assert_eq!(hits["mongodb"], 1, "{rules}");
    let tags = install.workload().tags();
    let wasm = wasm::build().unwrap();
    let pair = Pair::start(&scratch, (&client, &server), &tags, &wasm, app.address()).unwrap();
    for _ in 0..3 {
        let answer = converse(pair.connect().unwrap(), b"rating\n", 13);
        assert_eq!(answer, b"hello rating\n");
    }
    Walk {
        pair,
        scratch,
        _app: app,
    }
}

/// The source labels and the security policy in the server's series with this number of
/// connections.
fn server_sees(walk: &Walk, connections: f64) -> [String; 3] {
    poll::until("the server's series", SCRAPES, || {
        let metrics = walk.pair.server().metrics()?;
        let mut series = metrics.named(OPENED);
        Ok(match series.find(|series| series.value == connections) {
            Some(series) => {
                let names = [
                    "source_workload",
                    "source_principal",
                    "connection_security_policy",
                ];
                Look::Found(names.map(|name| series.labels[name].clone()))
            }
            None => Look::NotYet(format!("no series of {connections} connections")),
        })
    })
    .unwrap()
}

const PRINCIPAL: &str = "spiffe://cluster.local/ns/default/sa/bookinfo-ratings-v2";

#[test]
fn the_servers_labels_of_the_client_are_those_of_the_page() {
    let mutual = ["ratings-v2", PRINCIPAL, "mutual_tls"];
    let certificate = ["unknown", PRINCIPAL, "mutual_tls"];
    // The client knows that the server reads frames from the second of the connections on.
    for (install, rules, connections, expected) in [
        (Install::EXCHANGE, "destination-rules.yaml", 2.0, mutual),
        (
            Install::EXCHANGE,
            "destination-rules-mtls.yaml",
            2.0,
            mutual,
        ),
        (
            Install::INSTEAD,
            "destination-rules-mtls.yaml",
            3.0,
            certificate,
        ),
        (
            Install::INSTEAD,
            "destination-rules-plaintext.yaml",
            3.0,
            ["unknown", "unknown", "none"],
        ),
    ] {
        let seen = server_sees(&walk(install, rules), connections);
        assert_eq!(seen, expected, "{}, {rules}", install.overlay);
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

#[test]
fn every_query_of_the_page_has_a_result() {
    let queries = queries();
    assert!(queries.len() >= 5, "{queries:?}");
    let walk = walk(Install::INSTEAD, "destination-rules.yaml");
    let sidecars = [walk.pair.client(), walk.pair.server()];
    let Some(prometheus) = available(Prometheus::start(&walk.scratch, sidecars)).unwrap() else {
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
