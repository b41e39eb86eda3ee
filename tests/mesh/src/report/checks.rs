//! Checks the metrics of a sidecar against counts outside Envoy.

use std::collections::BTreeSet;

use super::{Check, Reported};
use crate::Counts;
use crate::exposition::{Labels, Series};
use crate::labels::METRICS;

/// The four values are equal to the counts of the tap at the application's end.
#[must_use]
pub fn counts(reported: &Reported) -> Check {
    let Reported {
        reporter,
        service,
        expected,
        seen,
        ..
    } = reported;
    let what = format!("{service}, {reporter}: counts are exact, opened = closed + still open");
    if seen == expected && seen.opened > 0 {
        Check::new(what, true, sentence(seen))
    } else {
        let detail = format!("reported {}; passed {}", sentence(seen), sentence(expected));
        Check::new(what, false, detail)
    }
}

/// Each metric has one series, with exactly the expected labels.
#[must_use]
pub fn labels(reported: &Reported, expected: &Labels) -> Check {
    let Reported {
        reporter,
        service,
        metrics,
        ..
    } = reported;
    let what = format!("{service}, {reporter}: four metrics, one series each, all 23 labels right");
    let mut faults = Vec::new();
    for name in METRICS {
        let number = metrics.iter().filter(|series| series.name == name).count();
        if number != 1 {
            faults.push(format!("{number} series of {name}"));
        }
    }
    let wrong = metrics.iter().filter(|series| series.labels != *expected);
    faults.extend(wrong.map(|series| difference(series, expected)));
    if faults.is_empty() {
        let workload = |side| expected.get(side).map_or("", String::as_str);
        let (from, to) = (
            workload("source_workload"),
            workload("destination_workload"),
        );
        Check::new(what, true, format!("{from} → {to}"))
    } else {
        Check::new(what, false, faults.join(". "))
    }
}

fn sentence(counts: &Counts) -> String {
    let Counts {
        opened,
        closed,
        received,
        sent,
    } = counts;
    let open = counts.open();
    format!("{opened} opened = {closed} closed + {open} open, {received} B received, {sent} B sent")
}

/// The labels of a series that differ from the expected ones.
#[must_use]
pub fn difference(series: &Series, expected: &Labels) -> String {
    let names: BTreeSet<_> = series.labels.keys().chain(expected.keys()).collect();
    let value =
        |labels: &Labels, name| labels.get(name).map_or("absent", String::as_str).to_owned();
    let differing = names.into_iter().filter_map(|name| {
        let (is, should_be) = (value(&series.labels, name), value(expected, name));
        (is != should_be).then(|| format!("{name} is {is}, not {should_be}"))
    });
    format!(
        "{}: {}",
        series.name,
        differing.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{self, CLOSED, Reporter, SENT};
    use crate::workload::Workload;

    fn expected() -> Labels {
        let server = Workload::bookinfo("mongodb", "v1");
        labels::exchanged(Reporter::Source, &Workload::ratings_v2(), &server)
    }

    fn reported() -> Reported {
        let counts = Counts {
            opened: 2,
            closed: 1,
            received: 3,
            sent: 4,
        };
        let metrics = METRICS.map(|name| Series {
            name: name.to_owned(),
            labels: expected(),
            value: 1.0,
        });
        Reported {
            reporter: Reporter::Source,
            sidecar: "ratings-v2".to_owned(),
            service: "mongodb".to_owned(),
            metrics: metrics.into(),
            expected: counts,
            seen: counts,
        }
    }

    #[test]
    fn correct_counts_and_labels_pass() {
        assert!(counts(&reported()).ok);
        assert!(labels(&reported(), &expected()).ok);
    }

    #[test]
    fn swapped_received_and_sent_bytes_fail() {
        let mut reported = reported();
        let Counts { received, sent, .. } = reported.seen;
        reported.seen = Counts {
            received: sent,
            sent: received,
            ..reported.seen
        };
        let check = counts(&reported);
        assert!(!check.ok);
        assert!(
            check.detail.contains("4 B received, 3 B sent; passed"),
            "{}",
            check.detail
        );
    }

    #[test]
    fn zero_counts_fail() {
        let mut reported = reported();
        reported.seen = Counts::default();
        reported.expected = Counts::default();
        assert!(!counts(&reported).ok);
    }

    #[test]
    fn a_wrong_label_is_named() {
        let mut reported = reported();
        let wrong = reported
            .metrics
            .iter_mut()
            .find(|series| series.name == SENT)
            .unwrap();
        wrong
            .labels
            .insert("source_app".to_owned(), "unknown".to_owned());
        wrong.labels.remove("reporter");
        let check = labels(&reported, &expected());
        assert!(!check.ok);
        let detail = "istio_tcp_sent_bytes_total: reporter is absent, not source, source_app is unknown, not ratings";
        assert_eq!(check.detail, detail);
    }

    #[test]
    fn each_metric_has_one_series() {
        let mut missing = reported();
        missing.metrics.retain(|series| series.name != CLOSED);
        let check = labels(&missing, &expected());
        assert_eq!(
            (check.ok, check.detail.as_str()),
            (false, "0 series of istio_tcp_connections_closed_total")
        );

        let mut twice = reported();
        twice.metrics.extend(reported().metrics);
        assert!(!labels(&twice, &expected()).ok);
    }
}
