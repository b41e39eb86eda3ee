//! What the sidecars report against what passed, counted outside Envoy.

use std::collections::BTreeMap;

use super::interrupt::Interrupt;
use super::report::{Check, Reported};
use crate::error::{Error, Result};
use crate::exposition::{Exposition, Labels, Series};
use crate::labels::{METRICS, Reporter};
use crate::mesh::{Counts, Mesh};

/// All metrics of all sidecars at one moment, with nothing on its way.
pub(super) struct Snapshot {
    pub(super) reporters: Vec<Reported>,
    /// `/stats/prometheus` by sidecar.
    pub(super) text: BTreeMap<String, String>,
    metrics: BTreeMap<String, Exposition>,
}

impl Snapshot {
    /// Waits until the reports have caught up, or for as long as the mesh waits, and takes it.
    pub(super) fn take(mesh: &Mesh, interrupt: &Interrupt) -> Result<Self> {
        for (service, reporter) in pairs(mesh) {
            interrupt.check()?;
            settle(mesh, reporter, service)?;
        }
        let mut text = BTreeMap::new();
        let mut metrics = BTreeMap::new();
        for sidecar in mesh.sidecars() {
            let exposition = sidecar.prometheus_text()?;
            metrics.insert(sidecar.name().to_owned(), Exposition::parse(&exposition)?);
            text.insert(sidecar.name().to_owned(), exposition);
        }
        let mut reporters = Vec::new();
        for (service, reporter) in pairs(mesh) {
            let sidecar = mesh.sidecar(reporter, service)?.name().to_owned();
            let selector = Mesh::selector(reporter, service);
            let series = metrics
                .get(&sidecar)
                .into_iter()
                .flat_map(Exposition::iter)
                .filter(|series| METRICS.contains(&series.name.as_str()) && series.has(&selector));
            let series: Vec<Series> = series.cloned().collect();
            reporters.push(Reported {
                reporter,
                service: service.to_owned(),
                expected: mesh.seen(reporter, service)?,
                seen: Counts::reported(&Exposition::from(series.clone()), &[]),
                metrics: series,
                sidecar,
            });
        }
        Ok(Self {
            reporters,
            text,
            metrics,
        })
    }

    /// Every check on it.
    pub(super) fn checks(&self, mesh: &Mesh) -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        for service in mesh.services() {
            let [near, far] = [Reporter::Source, Reporter::Destination]
                .map(|reporter| mesh.tap(reporter, service).map(|tap| tap.tally()));
            let (near, far) = (near?, far?);
            checks.push(Check::new(
                format!("{service}: every byte arrived unchanged, in both directions"),
                near.same_bytes(&far) && near.received() > 0 && near.sent() > 0,
                format!(
                    "{} connections, SHA-256 of each at both ends",
                    near.opened()
                ),
            ));
        }
        for reported in &self.reporters {
            let Reported {
                reporter, service, ..
            } = reported;
            checks.push(counts(reported));
            checks.push(labels(
                reported,
                &mesh.exchanged_labels(*reporter, service)?,
            ));
        }
        for (sidecar, metrics) in &self.metrics {
            let duplicates = metrics.duplicates();
            checks.push(Check::new(
                format!("{sidecar}: no series occurs twice"),
                duplicates.is_empty(),
                format!(
                    "{} series, {} twice",
                    metrics.iter().count(),
                    duplicates.len()
                ),
            ));
        }
        Ok(checks)
    }

    /// All series of a metric, of all sidecars.
    pub(super) fn named<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a Series> {
        self.metrics
            .values()
            .flat_map(|metrics| metrics.named(metric))
    }
}

/// Waits until the reports have caught up; that they never do is for the checks to tell.
pub(super) fn settle(mesh: &Mesh, reporter: Reporter, service: &str) -> Result<()> {
    match mesh.settled(reporter, service) {
        Err(error) if !is_timeout(&error) => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn is_timeout(error: &Error) -> bool {
    matches!(error, Error::TimedOut { .. })
}

fn pairs(mesh: &Mesh) -> impl Iterator<Item = (&str, Reporter)> {
    mesh.services()
        .flat_map(|service| Reporter::BOTH.map(|reporter| (service, reporter)))
}

fn counts(reported: &Reported) -> Check {
    let Reported {
        reporter,
        service,
        expected,
        seen,
        ..
    } = reported;
    let what = format!("{service}, {reporter}: counts are exact, opened = closed + still open");
    let text = |counts: &Counts| {
        let Counts {
            opened,
            closed,
            received,
            sent,
        } = counts;
        let open = counts.open();
        format!(
            "{opened} opened = {closed} closed + {open} open, {received} B received, {sent} B sent"
        )
    };
    let ok = seen == expected && seen.opened > 0;
    let detail = if ok {
        text(seen)
    } else {
        format!("reported {}; passed {}", text(seen), text(expected))
    };
    Check::new(what, ok, detail)
}

fn labels(reported: &Reported, expected: &Labels) -> Check {
    let Reported {
        reporter,
        service,
        metrics,
        ..
    } = reported;
    let what = format!("{service}, {reporter}: four metrics, one series each, all 23 labels right");
    let names: Vec<&str> = METRICS
        .into_iter()
        .filter(|name| metrics.iter().filter(|series| series.name == *name).count() == 1)
        .collect();
    let wrong = metrics.iter().find(|series| series.labels != *expected);
    let detail = match wrong {
        Some(series) => difference(series, expected),
        None => format!(
            "{} → {}",
            expected.get("source_workload").map_or("", String::as_str),
            expected
                .get("destination_workload")
                .map_or("", String::as_str),
        ),
    };
    let ok = wrong.is_none() && names == METRICS && metrics.len() == METRICS.len();
    Check::new(
        what,
        ok,
        if ok || wrong.is_some() {
            detail
        } else {
            format!("{metrics:?}")
        },
    )
}

fn difference(series: &Series, expected: &Labels) -> String {
    let names = series.labels.keys().chain(expected.keys());
    let differing: std::collections::BTreeSet<_> = names
        .filter(|name| series.labels.get(*name) != expected.get(*name))
        .collect();
    let text =
        |labels: &Labels, name: &String| labels.get(name).cloned().unwrap_or_else(|| "-".into());
    let parts: Vec<String> = differing
        .into_iter()
        .map(|name| {
            format!(
                "{name} is {}, not {}",
                text(&series.labels, name),
                text(expected, name)
            )
        })
        .collect();
    format!("{}: {}", series.name, parts.join("; "))
}
