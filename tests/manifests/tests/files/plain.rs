//! Files without a CustomResourceDefinition: Kubernetes' built-in kinds and the scrape
//! configurations. Rules for all YAML files.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use manifests::{Manifest, manifest};
use mesh::prometheus::promtool;
use mesh::{Scratch, available, process, tools, workspace};
use regex::Regex;
use serde_json::{Value, json};

const ISTIO: &str = "envoy-config/istio";

fn read(path: &str) -> Vec<Manifest> {
    Manifest::read(&workspace::root().join(path)).unwrap()
}

/// Validates files with the schemas of Kubernetes' built-in kinds. The error names the file. One
/// process for all: it takes a second to start.
fn kubernetes(files: &[PathBuf]) -> mesh::Result<()> {
    let mut command = Command::new(tools::python()?);
    command.env("PYTHONPATH", tools::kubernetes_validate()?);
    command
        .args([
            "-m",
            "kubernetes_validate",
            "--strict",
            "--no-warn",
            "--quiet",
        ])
        .args(files);
    process::run("kubernetes-validate", command).map(drop)
}

#[test]
fn manifests_of_kubernetes_kinds_are_valid() {
    let scratch = Scratch::new("kubernetes").unwrap();
    let mut files = Vec::new();
    for path in manifest::files("envoy-config").unwrap() {
        for manifest in Manifest::read(&path).unwrap() {
            if !["v1", "apps/v1"].contains(&manifest.api_version()) {
                continue;
            }
            let (name, number) = (manifest.name(), files.len());
            let file = scratch.path().join(format!("{number}-{name}.yaml"));
            fs::write(&file, manifest.document.to_string()).unwrap();
            files.push(file);
        }
    }
    assert!(files.len() >= 7, "only {files:?}");
    kubernetes(&files).unwrap_or_else(|error| panic!("{error}"));
    let broken = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { port: 1 }\n";
    // The last of many: an error in any of them is one of all.
    let file = scratch.path().join("broken.yaml");
    fs::write(&file, broken).unwrap();
    files.push(file);
    let refusal = kubernetes(&files).unwrap_err().to_string();
    assert!(refusal.contains("port"), "{refusal}");
}

/// Debian builds Prometheus without Kubernetes: the discovery of pods is compared with a literal,
/// and promtool checks the rest.
#[test]
fn prometheus_accepts_the_scrape_configuration() {
    let mut document = read(&format!("{ISTIO}/prometheus/prometheus.yaml"))
        .remove(0)
        .document;
    let scrape = document["scrape_configs"][0].as_object_mut().unwrap();
    let discovery = scrape.remove("kubernetes_sd_configs").unwrap();
    assert_eq!(discovery, json!([{ "role": "pod" }]));
    let scratch = Scratch::new("promtool").unwrap();
    let check = |text: &str| {
        fs::write(scratch.path().join("prometheus.yaml"), text).unwrap();
        promtool(scratch.path(), &["check", "config", "prometheus.yaml"])
    };
    let text = document.to_string();
    if available(check(&text)).unwrap().is_none() {
        return;
    }
    let broken = text.replace(r#""action":"keep""#, r#""action":"kept""#);
    let refusal = check(&broken).unwrap_err().to_string();
    assert!(refusal.contains("kept"), "{refusal}");
}

/// Renames the fields of a relabelling to those of Prometheus.
fn relabelling(rule: &Value) -> Value {
    let fields = rule.as_object().unwrap().iter().map(|(name, value)| {
        let name = match name.as_str() {
            "sourceLabels" => "source_labels",
            "targetLabel" => "target_label",
            other => other,
        };
        (name.to_owned(), value.clone())
    });
    Value::Object(fields.collect())
}

fn list(manifest: &Manifest, pointer: &str) -> Vec<Value> {
    manifest
        .document
        .pointer(pointer)
        .and_then(Value::as_array)
        .unwrap()
        .iter()
        .map(relabelling)
        .collect()
}

#[test]
fn the_pod_monitor_is_equal_to_the_scrape_configuration() {
    let monitor = &read(&format!("{ISTIO}/components/pod-monitor/pod-monitor.yaml"))[0];
    let scrape = &read(&format!("{ISTIO}/prometheus/prometheus.yaml"))[0];
    let endpoint = "/spec/podMetricsEndpoints/0";
    for (ours, theirs) in [("path", "metrics_path"), ("interval", "scrape_interval")] {
        assert_eq!(
            monitor.text(&format!("{endpoint}/{ours}")),
            scrape.text(&format!("/scrape_configs/0/{theirs}"))
        );
    }
    let metrics = list(monitor, &format!("{endpoint}/metricRelabelings"));
    assert_eq!(
        metrics,
        list(scrape, "/scrape_configs/0/metric_relabel_configs")
    );
    // The operator selects pods and port by fields of their own.
    let pods = list(scrape, "/scrape_configs/0/relabel_configs");
    let of_pods = |rule: &&Value| {
        let source = rule["source_labels"][0].as_str().unwrap();
        !source.contains("labelpresent") && !source.ends_with("port_name")
    };
    let pods: Vec<_> = pods.iter().filter(of_pods).cloned().collect();
    assert_eq!(list(monitor, &format!("{endpoint}/relabelings")), pods);
    let port = monitor.text(&format!("{endpoint}/port"));
    assert!(
        scrape
            .document
            .to_string()
            .contains(&format!(r#""regex":"{port}""#))
    );
}

#[test]
fn all_metrics_of_the_filter_are_kept() {
    let scrape = &read(&format!("{ISTIO}/prometheus/prometheus.yaml"))[0];
    let kept = scrape.text("/scrape_configs/0/metric_relabel_configs/0/regex");
    // Prometheus anchors the expression at both ends.
    let kept = Regex::new(&format!("^(?:{kept})$")).unwrap();
    for name in [
        "istio_tcp_sent_bytes_total",
        "istio_tcp_peer_exchange_total",
        "peer_stats_tcp_connections_opened_total",
        "peer_stats_tcp_series_overflow_total",
    ] {
        assert!(kept.is_match(name), "{name}");
    }
    assert!(!kept.is_match("istio_requests_total"));
}

/// kubectl reads YAML 1.1, in which `off` is false: as a mode of the filter it must be in quotes.
#[test]
fn no_string_is_parsed_as_a_boolean() {
    let boolean = Regex::new(
        r"(?m)[:\[,-] +(y|n|yes|no|on|off|Y|N|Yes|No|On|Off|YES|NO|ON|OFF) *(?:$|[,}\]#])",
    )
    .unwrap();
    assert!(
        boolean.is_match("mode: off\n")
            && boolean.is_match("{ mode: on }")
            && !boolean.is_match("mode: \"off\"\n")
    );
    for path in manifest::files("envoy-config").unwrap() {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        for line in lines {
            assert!(!boolean.is_match(line), "{}: `{line}`", path.display());
        }
    }
}
