//! The output of `cargo demo`, and its processes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh::labels::METRICS;
use mesh::poll::{self, Look};
use mesh::testing::Result;
use mesh::{Exposition, available, tools};
use serde::Deserialize;

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

#[derive(Debug, Deserialize)]
struct Document {
    ok: bool,
    reporters: Vec<Reported>,
    prometheus_text: BTreeMap<String, String>,
    kept: Option<Kept>,
}

#[derive(Debug, Deserialize)]
struct Reported {
    reporter: String,
    sidecar: String,
    service: String,
    metrics: Vec<Series>,
    expected: Counts,
    seen: Counts,
}

#[derive(Debug, Deserialize)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Counts {
    opened: u64,
    closed: u64,
    received: u64,
    sent: u64,
}

#[derive(Debug, Deserialize)]
struct Kept {
    addresses: BTreeMap<String, String>,
    files: String,
    cleanup: String,
}

/// The live page's data.
#[derive(Debug, Default, Deserialize)]
struct Moving {
    edges: Vec<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    sent_per_second: f64,
}

#[test]
fn the_document_holds_four_metrics_per_reporter_with_every_label_and_exact_counts() -> Result {
    let document = document(&["--json"])?;
    assert!(document.ok);
    let reporters = document.reporters.iter();
    let pairs: Vec<_> = reporters
        .map(|reported| (reported.service.as_str(), reported.reporter.as_str()))
        .collect();
    let services = ["mongodb", "mysqldb", "postgresql"].into_iter();
    let expected: Vec<_> = services
        .filter(|service| *service != "mysqldb" || has_mysqldb())
        .flat_map(|service| [(service, "source"), (service, "destination")])
        .collect();
    assert_eq!(pairs, expected);
    for reported in &document.reporters {
        let text = document.prometheus_text.get(&reported.sidecar);
        let raw = Exposition::parse(text.ok_or("no raw text")?)?;
        check_reporter(reported, &raw)?;
    }
    Ok(())
}

/// Checks that the document is consistent and equal to the raw text in it.
fn check_reporter(reported: &Reported, raw: &Exposition) -> Result {
    let Counts {
        opened,
        closed,
        received,
        sent,
    } = reported.expected;
    assert_eq!(reported.seen, reported.expected);
    assert!(opened > 0 && received > 0 && sent > 0, "{reported:?}");

    let destination = format!("{}-v1", reported.service);
    let mut values = BTreeMap::new();
    for Series {
        name,
        labels,
        value,
    } in &reported.metrics
    {
        assert!(
            values.insert(name.as_str(), *value).is_none(),
            "{name} has two series"
        );
        assert_eq!(labels.len(), 23);
        // The policy at the source is always `unknown`, as in Istio.
        let is_known = |(name, value): (&String, &String)| {
            let is_policy = name == "connection_security_policy" && reported.reporter == "source";
            !value.is_empty() && (value == "unknown") == is_policy
        };
        assert!(labels.iter().all(is_known), "{labels:?}");
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert!(
            labels.contains(&("source_workload", "ratings-v2")),
            "{labels:?}"
        );
        assert!(
            labels.contains(&("destination_workload", &destination)),
            "{labels:?}"
        );
        assert_eq!(raw.one(name, &labels)?.value, *value as f64);
    }
    let expected = METRICS.into_iter().zip([opened, closed, received, sent]);
    assert_eq!(values, expected.collect());
    Ok(())
}

#[test]
fn a_killed_demo_leaves_nothing_running() -> Result {
    let mut command = Command::new(DEMO);
    let mut demo = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    wait_for_line(&mut demo, "loads postgresql")?;
    let children = descendants(demo.id())?;
    demo.kill()?;
    demo.wait()?;
    for name in ["envoy", "postgres", "python"] {
        assert!(
            children.values().any(|child| child.contains(name)),
            "{name}: {children:?}"
        );
    }
    gone(&children)
}

#[test]
fn a_kept_demo_runs_until_its_supervisor_is_killed() -> Result {
    let kept = document(&["--keep", "--json"])?
        .kept
        .ok_or("nothing is kept")?;
    let supervisor = kept
        .cleanup
        .strip_prefix("kill ")
        .ok_or("no process to kill")?
        .parse()?;
    let mut children = descendants(supervisor)?;
    let scraped = kept.addresses.get("Envoy ratings-v2").map(|url| {
        let mut response = ureq::get(format!("{url}stats/prometheus")).call()?;
        response.body_mut().read_to_string()
    });
    let live = kept.addresses.get("Live mesh").map(|url| goes_on(url));
    let cleanup = Command::new("sh").args(["-c", &kept.cleanup]).status()?;

    assert!(cleanup.success());
    assert!(
        scraped
            .ok_or("no sidecar")??
            .contains("istio_tcp_connections_opened_total")
    );
    if kept.addresses.contains_key("Prometheus") {
        live.ok_or("no page")??;
    }
    assert!(children.len() > 4, "{children:?}");
    children.insert(supervisor, "the supervisor".to_owned());
    gone(&children)?;
    assert!(!fs::exists(kept.files)?);
    Ok(())
}

/// Waits until the live page shows traffic to both databases.
fn goes_on(page: &str) -> Result {
    let links = poll::until("traffic going on", Duration::from_secs(30), || {
        let text = ureq::get(format!("{page}graph.json"))
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .unwrap_or_default();
        let links = serde_json::from_str::<Moving>(&text).unwrap_or_default();
        let moves = |link: &Link| link.sent_per_second > 0.0;
        Ok(
            if !links.edges.is_empty() && links.edges.iter().all(moves) {
                Look::Found(links.edges.len())
            } else {
                Look::NotYet(text)
            },
        )
    })?;
    assert_eq!(links, if has_mysqldb() { 3 } else { 2 });
    Ok(())
}

#[test]
fn a_missing_envoy_is_named_with_a_remedy() -> Result {
    let output = Command::new(DEMO)
        .env("ENVOY_BIN", "/nonexistent/envoy")
        .output()?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors.contains("ENVOY_BIN=/nonexistent/envoy cannot be run"),
        "{errors}"
    );
    assert!(errors.contains("unset it"), "{errors}");
    Ok(())
}

/// Whether MariaDB is installed. The demo leaves mysqldb out otherwise.
fn has_mysqldb() -> bool {
    let installed = available(tools::daemon("mariadbd", "Install it: .ci/setup"));
    installed.is_ok_and(|daemon| daemon.is_some())
}

/// Runs the demo and parses its output.
fn document(arguments: &[&str]) -> Result<Document> {
    let output = Command::new(DEMO).args(arguments).output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Reads the demo's progress up to a line.
fn wait_for_line(demo: &mut Child, wanted: &str) -> Result {
    let progress = demo.stderr.as_mut().ok_or("no progress")?;
    let mut seen = Vec::new();
    for line in BufReader::new(progress).lines() {
        seen.push(line?);
        if seen.last().is_some_and(|line| line.contains(wanted)) {
            return Ok(());
        }
    }
    Err(format!("no line with {wanted:?}: {seen:?}").into())
}

/// The names of all descendants of `parent`, by process id.
fn descendants(parent: u32) -> Result<BTreeMap<u32, String>> {
    let entries = fs::read_dir("/proc")?;
    let processes: Vec<_> = entries
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
    Ok(found)
}

/// The id, the parent and the name of a process, unless it is a zombie.
fn process(id: u32) -> Option<(u32, u32, String)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    Some((id, fields.next()?.parse().ok()?, name.to_owned()))
}

/// Waits until all these processes have ended.
fn gone(processes: &BTreeMap<u32, String>) -> Result {
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
    )?;
    Ok(())
}
