//! `cargo demo` from outside: what it prints, and what it leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use testbed::Exposition;
use testbed::labels::METRICS;
use testbed::poll::{self, Look};

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

#[test]
fn the_document_holds_four_metrics_per_reporter_with_every_label_and_exact_counts() {
    let output = demo(&["--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], true);
    let reporters = document["reporters"].as_array().unwrap();
    let pairs: Vec<_> = reporters
        .iter()
        .map(|reported| (text(&reported["service"]), text(&reported["reporter"])))
        .collect();
    let expected = [
        ("mongodb", "source"),
        ("mongodb", "destination"),
        ("postgresql", "source"),
        ("postgresql", "destination"),
    ];
    assert_eq!(pairs, expected);
    for reported in reporters {
        check_reporter(reported, &document["prometheus_text"]);
    }
}

fn check_reporter(reported: &Value, texts: &Value) {
    assert_eq!(reported["expected"], reported["seen"]);
    let metrics = reported["metrics"].as_array().unwrap();
    let values: BTreeMap<&str, u64> = metrics
        .iter()
        .map(|series| (text(&series["name"]), series["value"].as_u64().unwrap()))
        .collect();
    let expected = ["opened", "closed", "received", "sent"].map(|key| &reported["expected"][key]);
    assert_eq!(
        METRICS.map(|name| Value::from(values[name])).each_ref(),
        expected
    );
    assert!(expected[2].as_u64() > Some(0) && expected[3].as_u64() > Some(0));

    // The raw text that is printed beside it says the same.
    let raw = Exposition::parse(text(&texts[text(&reported["sidecar"])])).unwrap();
    for series in metrics {
        let labels = series["labels"].as_object().unwrap();
        assert_eq!(labels.len(), 23);
        assert!(
            labels.values().all(|value| !text(value).is_empty()),
            "{labels:?}"
        );
        assert_eq!(labels["source_workload"], "ratings-v2");
        let destination = format!("{}-v1", text(&reported["service"]));
        assert_eq!(labels["destination_workload"], destination);
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect();
        let found = raw.one(text(&series["name"]), &labels).unwrap();
        assert_eq!(Some(found.value), series["value"].as_f64());
    }
}

#[test]
fn a_killed_demo_leaves_nothing_running() {
    let mut demo = Command::new(DEMO);
    demo.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut demo = demo.spawn().unwrap();
    wait_for_line(&mut demo, "loads postgresql");
    let children = descendants(demo.id());
    for name in ["envoy", "postgres", "python"] {
        assert!(
            children.values().any(|child| child.contains(name)),
            "{name}: {children:?}"
        );
    }
    demo.kill().unwrap();
    demo.wait().unwrap();
    gone(&children);
}

#[test]
fn what_is_kept_runs_until_it_is_told_to_end() {
    let output = demo(&["--keep", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kept = &document["kept"];
    let cleanup = text(&kept["cleanup"]);
    let supervisor = cleanup.strip_prefix("kill ").unwrap().parse().unwrap();
    let mut children = descendants(supervisor);
    let url = format!(
        "{}stats/prometheus",
        text(&kept["addresses"]["Envoy ratings-v2"])
    );
    let scraped = ureq::get(&url).call();
    let ended = Command::new("sh").args(["-c", cleanup]).status().unwrap();

    assert!(ended.success());
    let scraped = scraped.unwrap().body_mut().read_to_string().unwrap();
    assert!(scraped.contains("istio_tcp_connections_opened_total"));
    assert!(children.len() > 4, "{children:?}");
    children.insert(supervisor, "the supervisor".to_owned());
    gone(&children);
    assert!(!fs::exists(text(&kept["files"])).unwrap());
}

#[test]
fn a_missing_envoy_is_named_with_a_remedy() {
    let mut demo = Command::new(DEMO);
    let output = demo
        .env("ENVOY_BIN", "/nonexistent/envoy")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors.contains("ENVOY_BIN=/nonexistent/envoy cannot be run"),
        "{errors}"
    );
    assert!(errors.contains("unset it"), "{errors}");
}

fn demo(arguments: &[&str]) -> Output {
    Command::new(DEMO).args(arguments).output().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Reads the demo's progress up to a line; the rest is left unread.
fn wait_for_line(demo: &mut Child, wanted: &str) {
    let mut seen = Vec::new();
    for line in BufReader::new(demo.stderr.take().unwrap()).lines() {
        seen.push(line.unwrap());
        if seen.last().is_some_and(|line| line.contains(wanted)) {
            return;
        }
    }
    panic!("no line with {wanted:?}: {seen:?}");
}

/// Name by process id of everything that `parent` started, directly or not.
fn descendants(parent: u32) -> BTreeMap<u32, String> {
    let processes: Vec<(u32, u32, String)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| process(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .collect();
    let mut found = BTreeMap::new();
    let mut parents = vec![parent];
    while let Some(parent) = parents.pop() {
        for (id, _, name) in processes.iter().filter(|(_, of, _)| *of == parent) {
            parents.push(*id);
            found.insert(*id, name.clone());
        }
    }
    found
}

/// A process, its parent and its name, unless it is a zombie.
fn process(id: u32) -> Option<(u32, u32, String)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    Some((id, fields.next()?.parse().ok()?, name.to_owned()))
}

/// Waits until none of these processes is left.
fn gone(processes: &BTreeMap<u32, String>) {
    poll::until(
        "the demo's processes being gone",
        Duration::from_secs(10),
        || {
            let left: Vec<_> = processes
                .iter()
                .filter(|(id, _)| process(**id).is_some())
                .collect();
            Ok(if left.is_empty() {
                Look::Found(())
            } else {
                Look::NotYet(format!("{left:?}"))
            })
        },
    )
    .unwrap();
}
