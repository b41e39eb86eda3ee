//! All metrics of all sidecars at one moment.

use std::collections::BTreeMap;

use super::interrupt::Interrupt;
use mesh::error::Result;
use mesh::exposition::{Exposition, Series};
use mesh::labels::{METRICS, Reporter};
use mesh::report::{Check, Reported, checks};
use mesh::{Counts, Mesh};

/// The metrics of all sidecars while no traffic is in progress.
pub(super) struct Snapshot {
    pub(super) reporters: Vec<Reported>,
    /// `/stats/prometheus` by sidecar.
    pub(super) text: BTreeMap<String, String>,
    metrics: BTreeMap<String, Exposition>,
}

impl Snapshot {
    /// Waits until the metrics have caught up, at most for the settle limit of the mesh, and
    /// scrapes all sidecars.
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

    /// All checks on the snapshot.
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
            checks.push(checks::counts(reported));
            checks.push(checks::labels(reported, &mesh.labels(*reporter, service)?));
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

/// Waits until the metrics have caught up. If they do not, the checks fail.
pub(super) fn settle(mesh: &Mesh, reporter: Reporter, service: &str) -> Result<()> {
    match mesh.settled(reporter, service) {
        Err(error) if !error.is_timeout() => Err(error),
        _ => Ok(()),
    }
}

fn pairs(mesh: &Mesh) -> impl Iterator<Item = (&str, Reporter)> {
    mesh.services()
        .flat_map(|service| Reporter::BOTH.map(|reporter| (service, reporter)))
}
