//! Compares a reporter's stats with the reference.

use crate::case::{Extra, Proxy};
use crate::disagreement::Disagreement;
use crate::model::Report;

const RESULTS: [&str; 9] = [
    "exchanged",
    "absent",
    "malformed",
    "no_metadata",
    "too_large",
    "truncated",
    "not_attempted",
    "duplicate",
    "host_failure",
];

const UNANSWERED: &str = "tcp_unanswered_frames_total";

/// The client's proxy's count of frames by proof that a server answered without one.
pub(crate) fn unanswered(proxy: &Proxy, stats: &str) -> u64 {
    total(stats, &[&format!("{}_{UNANSWERED}", proxy.prefix())])
}

/// Compares the metrics, summed over all series, and the results.
pub(crate) fn compare(
    reporter: &'static str,
    proxy: &Proxy,
    stats: &str,
    reports: &[Report],
) -> Result<(), Disagreement> {
    // The report at a connection's close may include the counts of other connections.
    if proxy.extra == Extra::OnlyAtClose && reports.iter().any(|report| !report.closed) {
        return Ok(());
    }
    let counted = || {
        reports
            .iter()
            .filter(|report| report.closed || report.shown)
    };
    let sum = |of: fn(&Report) -> usize| counted().map(of).sum::<usize>() as u64;
    let sent = if proxy.extra == Extra::Dropped {
        0
    } else {
        sum(|report| report.sent)
    };
    let metrics = [
        ("tcp_connections_opened_total", counted().count() as u64),
        (
            "tcp_connections_closed_total",
            sum(|report| report.closed.into()),
        ),
        ("tcp_received_bytes_total", sum(|report| report.received)),
        ("tcp_sent_bytes_total", sent),
        (UNANSWERED, sum(|report| report.unanswered.into())),
    ];
    let prefix = proxy.prefix();
    let check = |metric, expected, found| match found {
        found if found == expected => Ok(()),
        found => Err(Disagreement::Metric {
            reporter,
            metric,
            expected,
            found,
        }),
    };
    for (metric, expected) in metrics {
        check(
            metric,
            expected,
            total(stats, &[&format!("{prefix}_{metric}")]),
        )?;
    }
    for result in RESULTS {
        let has = |report: &&Report| match result {
            "duplicate" => report.duplicate,
            result => report.result == Some(result),
        };
        let expected = reports.iter().filter(has).count() as u64;
        let found = total(
            stats,
            &[&format!("{prefix}_tcp_peer_exchange_total"), result],
        );
        check(result, expected, found)?;
    }
    Ok(())
}

/// The sum of all stats whose name ends with the first part and contains the others.
fn total(stats: &str, parts: &[&str]) -> u64 {
    let lines = stats.lines().filter_map(|line| line.rsplit_once(": "));
    let matching = lines.filter(|(name, _)| {
        let mut parts = parts.iter();
        parts.next().is_some_and(|end| name.ends_with(end)) && parts.all(|part| name.contains(part))
    });
    matching
        .filter_map(|(_, value)| value.parse::<u64>().ok())
        .sum()
}
