//! Checks the graph from the metrics against counts outside Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::demo::interrupt::Interrupt;
use mesh::Counts;
use mesh::error::Result;
use mesh::exposition::{Exposition, Series};
use mesh::labels::{METRICS, Reporter};
use mesh::poll::{self, Look};
use mesh::prometheus::Prometheus;
use mesh::report::{Check, Reported, checks};
use mesh::topology::{Edge, Graph, Link, Scrape, Target, Topology};
use mesh::workload::Workload;

const SCRAPE_LIMIT: Duration = Duration::from_secs(20);

/// The applications that must answer each visit, in order.
const ANSWERS: [&str; 9] = [
    "productpage",
    "details",
    "mysqldb",
    "books.example.com",
    "reviews",
    "ratings",
    "mongodb",
    "mysqldb",
    "PassthroughCluster",
];

/// Every visit reached all applications.
pub(super) fn answers(visits: &[Vec<String>]) -> Check {
    let complete = visits.iter().filter(|names| **names == ANSWERS).count();
    Check::new(
        "every visit reached all applications",
        complete == visits.len() && complete > 0,
        format!(
            "{complete} of {} were answered by {}",
            visits.len(),
            ANSWERS.join(", ")
        ),
    )
}

/// All checks on the metrics.
pub(super) fn mesh(topology: &Topology, scrape: &Scrape, graph: &Graph) -> Vec<Check> {
    let mut checks = vec![complete(topology, graph)];
    checks.extend(topology.edges().iter().map(|each| edge(each, scrape)));
    let mut targets: BTreeMap<_, _> = BTreeMap::new();
    for edge in topology.edges() {
        targets.insert(edge.target().name(), edge.target());
    }
    let targets = targets.into_values();
    checks.extend(targets.filter_map(|target| bytes(topology, target)));
    checks.push(open(graph));
    checks.push(once(scrape));
    checks
}

/// The graph has every edge and no other.
fn complete(topology: &Topology, graph: &Graph) -> Check {
    let names = |ends: [String; 3]| {
        let [source, destination, service] = ends;
        format!("{source} → {destination} ({service})")
    };
    let there: BTreeSet<_> = graph.edges.iter().map(|link| names(link.ends())).collect();
    let wanted: BTreeSet<_> = topology
        .edges()
        .iter()
        .map(|edge| names(edge.ends()))
        .collect();
    let missing: Vec<_> = wanted.difference(&there).cloned().collect();
    let invented: Vec<_> = there.difference(&wanted).cloned().collect();
    let what = "the graph has every edge, and no other";
    if missing.is_empty() && invented.is_empty() {
        let detail = format!("{} nodes, {} edges", graph.nodes.len(), there.len());
        return Check::new(what, true, detail);
    }
    let detail = format!(
        "missing: {}; unexpected: {}",
        missing.join(", "),
        invented.join(", ")
    );
    Check::new(what, false, detail)
}

/// Every sidecar at an end of the edge reports the exact counts and labels.
fn edge(edge: &Edge, scrape: &Scrape) -> Check {
    let reported: Vec<_> = edge
        .reporters()
        .map(|(reporter, workload)| (reporter, report(edge, reporter, &workload, scrape)))
        .collect();
    let parts = reported.iter().flat_map(|(reporter, reported)| {
        let labels = edge.labels(*reporter);
        [checks::counts(reported), checks::labels(reported, &labels)]
    });
    let parts: Vec<_> = parts.collect();
    let [source, destination, _] = edge.ends();
    let reporters: Vec<_> = reported.iter().map(|(each, _)| each.as_str()).collect();
    let what = format!(
        "{source} → {destination}: exact counts, all 23 labels right, reported by {}",
        reporters.join(" and ")
    );
    let failed = parts.iter().filter(|part| !part.ok);
    let faults: Vec<_> = failed
        .map(|part| format!("{}: {}", part.what, part.detail))
        .collect();
    match parts.first() {
        Some(first) if faults.is_empty() => Check::new(what, true, first.detail.clone()),
        _ => Check::new(what, false, faults.join(". ")),
    }
}

/// The series of a sidecar for an edge.
fn report(edge: &Edge, reporter: Reporter, workload: &Workload, scrape: &Scrape) -> Reported {
    let series = scrape.get(&workload.name).into_iter();
    let metrics: Vec<Series> = series
        .flat_map(Exposition::iter)
        .filter(|series| METRICS.contains(&series.name.as_str()))
        .filter(|series| series.has(&[("reporter", reporter.as_str())]))
        .filter(|series| Graph::read([*series]).link(&edge.ends()).is_some())
        .cloned()
        .collect();
    Reported {
        reporter,
        sidecar: workload.name.clone(),
        service: edge.target().name().to_owned(),
        expected: edge.seen(),
        seen: Counts::reported(&Exposition::from(metrics.clone()), &[]),
        metrics,
    }
}

/// Every byte arrived unchanged. `None` for a target without an application.
fn bytes(topology: &Topology, target: Target) -> Option<Check> {
    let arrived = topology.arrived(target)?;
    let left = topology.left(target);
    let what = format!(
        "{}: every byte arrived unchanged, in both directions",
        target.name()
    );
    let ok = left.same_bytes(&arrived) && left.received() > 0 && left.sent() > 0;
    let detail = format!(
        "{} connections, SHA-256 of each at both ends",
        arrived.opened()
    );
    Some(Check::new(what, ok, detail))
}

/// Open connections are reported while they are open.
fn open(graph: &Graph) -> Check {
    let open = graph.edges.iter().filter(|link| link.open > 0);
    let open: Vec<_> = open
        .map(|link| format!("{} → {}: {}", link.source, link.destination, link.open))
        .collect();
    let what = "ratings-v2's connection to mongodb is reported while it is open, and no other is";
    Check::new(
        what,
        open == ["ratings-v2 → mongodb-v1: 1"],
        open.join(", "),
    )
}

/// After all connections are closed, `opened` is equal to `closed` on every edge.
pub(super) fn all_closed(graph: &Graph) -> Check {
    let sum = |count: fn(&Link) -> u64| graph.edges.iter().map(count).sum::<u64>();
    let (opened, closed) = (
        sum(|link| link.counts.opened),
        sum(|link| link.counts.closed),
    );
    let open = graph.edges.iter().filter(|link| {
        let mut counts = link.reporters.values();
        counts.any(|counts| counts.opened != counts.closed)
    });
    Check::new(
        "after ratings-v2 closed its connection, opened = closed on every edge",
        open.count() == 0 && opened > 0,
        format!("{opened} opened, {closed} closed"),
    )
}

/// No sidecar has a series twice.
fn once(scrape: &Scrape) -> Check {
    let twice: Vec<_> = scrape
        .iter()
        .flat_map(|(sidecar, metrics)| {
            let twice = metrics.duplicates().into_iter();
            twice.map(move |series| format!("{sidecar}: {series}"))
        })
        .collect();
    let total: usize = scrape.values().map(|metrics| metrics.iter().count()).sum();
    let detail = match twice.first() {
        None => format!("{total} series"),
        Some(first) => format!("{} do, the first: {first}", twice.len()),
    };
    Check::new(
        "no series occurs twice at a sidecar",
        twice.is_empty(),
        detail,
    )
}

/// The data of Prometheus give the same graph.
pub(super) fn prometheus(
    prometheus: &Prometheus,
    graph: &Graph,
    interrupt: &Interrupt,
) -> Result<Check> {
    let drawn = poll::until("Prometheus having the same graph", SCRAPE_LIMIT, || {
        interrupt.check()?;
        let mut series = Vec::new();
        for metric in METRICS {
            series.extend(prometheus.query(metric)?);
        }
        let drawn = Graph::read(&series);
        Ok(if drawn == *graph {
            Look::Found(())
        } else {
            Look::NotYet(format!("{} series", series.len()))
        })
    });
    let detail = match drawn {
        Err(error) if !error.is_timeout() => return Err(error),
        Err(error) => Err(error.to_string()),
        Ok(()) => Ok(prometheus.url()),
    };
    Ok(Check::new(
        "Prometheus has the same graph",
        detail.is_ok(),
        detail.unwrap_or_else(|error| error),
    ))
}
