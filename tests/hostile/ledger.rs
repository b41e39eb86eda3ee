//! What an exposition must hold: every series of the filter, and no other.

use std::collections::BTreeMap;

use mesh::Counts;
use mesh::exposition::{Exposition, Labels};
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT, owned};

use crate::bystander;

/// Values by name and labels.
type Values = BTreeMap<(String, Labels), u64>;

/// The sum of all that happened at one reporter, but for the bystander's own series.
#[derive(Debug)]
pub(crate) struct Ledger {
    reporter: Reporter,
    values: Values,
}

impl Ledger {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            values: Values::new(),
        }
    }

    /// A connection under these labels.
    pub(crate) fn connection(&mut self, labels: &Labels, counts: Counts) {
        for (metric, value) in [
            (OPENED, counts.opened),
            (CLOSED, counts.closed),
            (RECEIVED, counts.received),
            (SENT, counts.sent),
        ] {
            *self
                .values
                .entry((metric.to_owned(), labels.clone()))
                .or_default() += value;
        }
    }

    /// An exchange that ended so.
    pub(crate) fn exchange(&mut self, result: &str) {
        self.diagnostic("istio_tcp_peer_exchange_total", &[("result", result)]);
    }

    /// A peer whose namespace is not its certificate's.
    pub(crate) fn mismatch(&mut self) {
        self.diagnostic("istio_tcp_peer_mismatch_total", &[]);
    }

    /// A connection that was counted under coarser labels.
    pub(crate) fn overflow(&mut self) {
        self.diagnostic("istio_tcp_series_overflow_total", &[]);
    }

    fn diagnostic(&mut self, metric: &str, labels: &[(&str, &str)]) {
        let reporter = [("reporter", self.reporter.as_str())];
        let labels = owned(reporter.iter().chain(labels).copied());
        *self.values.entry((metric.to_owned(), labels)).or_default() += 1;
    }

    /// How the exposition differs; empty if it does not.
    pub(crate) fn difference(&self, metrics: &Exposition) -> String {
        let told = values(metrics);
        let mut lines = Vec::new();
        for (series, value) in &told {
            if self.values.get(series) != Some(value) {
                let expected = self.values.get(series);
                lines.push(format!("{series:?} is {value}, expected {expected:?}"));
            }
        }
        let missing = self
            .values
            .iter()
            .filter(|(series, _)| !told.contains_key(*series));
        lines.extend(
            missing.map(|(series, value)| format!("{series:?} is missing, expected {value}")),
        );
        lines.join("\n")
    }
}

/// Everything that the filter tells, but for the bystander's own series.
fn values(metrics: &Exposition) -> Values {
    let ours = metrics.iter().filter(|series| {
        // A name of any other beginning is Envoy's own, or a label that broke out.
        let foreign = series.name.starts_with("envoy_") && !series.name.contains("istio_");
        !foreign && !series.labels.values().any(|value| value == bystander::NAME)
    });
    ours.map(|series| {
        (
            (series.name.clone(), series.labels.clone()),
            series.value as u64,
        )
    })
    .collect()
}
