//! What a sidecar reports of connections.

use mesh::exposition::{Labels, Series};
use mesh::labels::{CLOSED, OPENED, RECEIVED, SENT};
use mesh::report::checks::difference;
use mesh::{Counts, Exposition};

use super::expect;
use crate::error::Result;
use crate::increase::increase;

const UNANSWERED: &str = "istio_tcp_unanswered_frames_total";

/// The increase of a sidecar's metrics.
#[derive(Debug, Default)]
pub(super) struct Reported(Vec<Series>);

impl Reported {
    /// What a sidecar reported between two scrapes.
    pub(super) fn between(before: &Exposition, after: &Exposition) -> Self {
        Self(increase(before, after))
    }

    /// The frames that servers did not answer, in one scrape.
    pub(super) fn total_unanswered(metrics: &Exposition) -> u64 {
        metrics.sum(UNANSWERED, &[]) as u64
    }

    /// Whether a series of connections is gone, or counts from 0 again.
    pub(super) fn has_vanished(before: &Exposition, after: &Exposition) -> bool {
        [OPENED, CLOSED].iter().any(|name| {
            let mut old = before.named(name);
            old.any(|old| {
                let mut same = after.named(name).filter(|new| new.labels == old.labels);
                same.next().is_none_or(|new| new.value < old.value)
            })
        })
    }

    /// The connections opened.
    pub(super) fn opened(&self) -> u64 {
        self.sum(OPENED)
    }

    /// The connections opened to this workload.
    pub(super) fn opened_to(&self, workload: &str) -> u64 {
        let opened = self.of(OPENED);
        total(opened.filter(|series| series.has(&[("destination_workload", workload)])))
    }

    /// The connections closed.
    pub(super) fn closed(&self) -> u64 {
        self.sum(CLOSED)
    }

    /// The four counts.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            opened: self.opened(),
            closed: self.closed(),
            received: self.sum(RECEIVED),
            sent: self.sum(SENT),
        }
    }

    /// The frames that a server did not answer.
    pub(super) fn unanswered(&self) -> u64 {
        self.sum(UNANSWERED)
    }

    /// The connections opened whose labels of workloads are not all known.
    pub(super) fn incomplete(&self) -> u64 {
        let is_incomplete = |series: &&Series| {
            let mut labels = series.labels.iter();
            labels.any(|(name, value)| {
                let is_of_a_peer = name.starts_with("source_") || name.starts_with("destination_");
                is_of_a_peer && (value == "unknown" || value.is_empty())
            })
        };
        total(self.of(OPENED).filter(is_incomplete))
    }

    /// The connections opened with this security policy.
    pub(super) fn with_security(&self, policy: &str) -> u64 {
        let opened = self.of(OPENED);
        total(opened.filter(|series| series.has(&[("connection_security_policy", policy)])))
    }

    /// Checks that exactly `number` connections were opened with exactly these labels. The message
    /// has the labels of others.
    pub(super) fn expect_labels(&self, what: &str, expected: &Labels, number: u64) -> Result<()> {
        let (right, other): (Vec<_>, Vec<_>) = self
            .of(OPENED)
            .partition(|series| series.labels == *expected);
        let right = total(right.into_iter());
        expect::holds(right == number, || {
            let other = other
                .iter()
                .map(|series| format!("{} with {}", series.value, difference(series, expected)));
            let other = other.collect::<Vec<_>>().join("; ");
            format!("{what}: {right} connections with the right labels, not {number}. {other}")
        })
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Series> {
        self.0.iter().filter(move |series| series.name == name)
    }

    fn sum(&self, name: &str) -> u64 {
        total(self.of(name))
    }
}

fn total<'a>(series: impl Iterator<Item = &'a Series>) -> u64 {
    // Counters are integers that an f64 represents exactly.
    series.map(|series| series.value as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "istio_tcp_connections_opened_total{source_app=\"a\",destination_app=\"b\",response_flags=\"-\",connection_security_policy=\"unknown\"} 3\n\
                        istio_tcp_connections_opened_total{source_app=\"unknown\",connection_security_policy=\"mutual_tls\"} 2\n\
                        istio_tcp_connections_opened_total{source_app=\"\"} 1\n";

    fn reported() -> Reported {
        let after = Exposition::parse(TEXT).unwrap();
        Reported::between(&Exposition::default(), &after)
    }

    #[test]
    fn a_label_that_is_unknown_or_empty_makes_a_connection_incomplete() {
        let reported = reported();
        assert_eq!((reported.opened(), reported.incomplete()), (6, 3));
        assert_eq!(reported.with_security("mutual_tls"), 2);
    }

    #[test]
    fn a_series_that_is_gone_or_smaller_has_vanished() {
        let parse = |text: &str| Exposition::parse(text).unwrap();
        let before = parse("istio_tcp_connections_opened_total{a=\"1\"} 3\nother{} 4\n");
        let is_gone = |text: &str| Reported::has_vanished(&before, &parse(text));
        assert!(!is_gone("istio_tcp_connections_opened_total{a=\"1\"} 3\n"));
        assert!(is_gone("istio_tcp_connections_opened_total{a=\"1\"} 2\n"));
        assert!(is_gone("istio_tcp_connections_opened_total{a=\"2\"} 3\n"));
    }

    #[test]
    fn connections_with_other_labels_are_named() {
        let reported = reported();
        let labels = mesh::labels::owned([
            ("source_app", "unknown"),
            ("connection_security_policy", "mutual_tls"),
        ]);
        reported.expect_labels("opened", &labels, 2).unwrap();
        let labels = mesh::labels::owned([("source_app", "a")]);
        let message = reported.expect_labels("opened", &labels, 1).unwrap_err();
        let message = message.to_string();
        assert!(
            message.contains("source_app is unknown, not a"),
            "{message}"
        );
    }
}
