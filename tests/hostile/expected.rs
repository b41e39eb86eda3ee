//! The exact metrics that the filter is expected to expose.

use std::collections::BTreeMap;

use mesh::Counts;
use mesh::exposition::{Exposition, Labels};
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT, owned};

use crate::background;

/// Values by name and labels.
type Values = BTreeMap<(String, Labels), u64>;

/// The sum of all cases at one reporter. The series of the background connection are not part of
/// it.
#[derive(Debug)]
pub(crate) struct ExpectedMetrics {
    reporter: Reporter,
    values: Values,
}

impl ExpectedMetrics {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self {
            reporter,
            values: Values::new(),
        }
    }

    /// Adds the counts of a connection under these labels.
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

    /// Adds an exchange with this result.
    pub(crate) fn exchange(&mut self, result: &str) {
        self.diagnostic("istio_tcp_peer_exchange_total", &[("result", result)]);
    }

    /// Adds a peer whose namespace is not its certificate's.
    pub(crate) fn mismatch(&mut self) {
        self.diagnostic("istio_tcp_peer_mismatch_total", &[]);
    }

    /// Adds a connection that is counted under coarser labels.
    pub(crate) fn overflow(&mut self) {
        self.diagnostic("istio_tcp_series_overflow_total", &[]);
    }

    fn diagnostic(&mut self, metric: &str, labels: &[(&str, &str)]) {
        let reporter = [("reporter", self.reporter.as_str())];
        let labels = owned(reporter.iter().chain(labels).copied());
        *self.values.entry((metric.to_owned(), labels)).or_default() += 1;
    }

    /// The series in which the exposition differs, one a line; empty if there are none.
    pub(crate) fn difference(&self, metrics: &Exposition) -> String {
        let reported = values(metrics);
        let mut lines = Vec::new();
        for (series, value) in &reported {
            if self.values.get(series) != Some(value) {
                let expected = self.values.get(series);
                lines.push(format!("{series:?} is {value}, expected {expected:?}"));
            }
        }
        let missing = self
            .values
            .iter()
            .filter(|(series, _)| !reported.contains_key(*series));
        lines.extend(
            missing.map(|(series, value)| format!("{series:?} is missing, expected {value}")),
        );
        lines.join("\n")
    }
}

/// All series of the filter but those of the background connection.
fn values(metrics: &Exposition) -> Values {
    let ours = metrics.iter().filter(|series| {
        // Envoy's own series begin with `envoy_`. Any other name may be an injected one.
        let foreign = series.name.starts_with("envoy_") && !series.name.contains("istio_");
        !foreign
            && !series
                .labels
                .values()
                .any(|value| value == background::NAME)
    });
    ours.map(|series| {
        (
            (series.name.clone(), series.labels.clone()),
            series.value as u64,
        )
    })
    .collect()
}
