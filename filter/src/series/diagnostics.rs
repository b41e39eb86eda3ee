//! What the filter says of itself: counters that are on by default.

use super::pending::Instrument;
use crate::exchange::Outcome;
use crate::host::Host;
use crate::host::MetricKind;
use crate::labels::Reporter;
use crate::labels::naming::Naming;

const OUTCOMES: &str = "tcp_peer_exchange_total";
const OVERFLOWS: &str = "tcp_series_overflow_total";
const REFUSED_HOSTS: &str = "tcp_refused_hosts_total";
const PEER_MISMATCHES: &str = "tcp_peer_mismatch_total";
const UNUSABLE_VALUES: &str = "tcp_unusable_values_total";

/// The counters' names, without the prefix.
pub(crate) const NAMES: [&str; 5] = [
    OUTCOMES,
    OVERFLOWS,
    REFUSED_HOSTS,
    PEER_MISMATCHES,
    UNUSABLE_VALUES,
];

/// Counters of one reporter.
#[derive(Debug)]
struct PerReporter {
    outcomes: [Instrument; Outcome::ALL.len()],
    overflows: Instrument,
    refused_hosts: Instrument,
    peer_mismatches: Instrument,
    unusable_values: Instrument,
}

/// `istio_tcp_peer_exchange_total{reporter,result}`, and by reporter alone
/// `istio_tcp_series_overflow_total`, `istio_tcp_refused_hosts_total`,
/// `istio_tcp_peer_mismatch_total` and `istio_tcp_unusable_values_total`. A counter appears with its
/// first event.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    by_reporter: [PerReporter; Reporter::ALL.len()],
}

impl Default for PerReporter {
    fn default() -> Self {
        let counter = || Instrument::new(MetricKind::Counter);
        Self {
            outcomes: Outcome::ALL.map(|_| counter()),
            overflows: counter(),
            refused_hosts: counter(),
            peer_mismatches: counter(),
            unusable_values: counter(),
        }
    }
}

impl Diagnostics {
    /// An exchange ended.
    pub(crate) fn outcome(&self, reporter: Reporter, outcome: Outcome) {
        self.count(reporter, |counters| counters.outcomes.get(outcome as usize));
    }

    /// This many expressions of a connection had a value that is neither text nor number.
    pub(crate) fn unusable_values(&self, reporter: Reporter, count: i64) {
        if let Some(counters) = self.by_reporter.get(reporter as usize) {
            counters.unusable_values.add(count);
        }
    }

    /// A connection was counted under coarser labels because the series are at their limit.
    pub(crate) fn overflow(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.overflows));
    }

    /// An upstream address was put on the refused list.
    pub(crate) fn refused_host(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.refused_hosts));
    }

    /// A peer claimed another namespace than its certificate has.
    pub(crate) fn peer_mismatch(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.peer_mismatches));
    }

    fn count(&self, reporter: Reporter, counter: impl FnOnce(&PerReporter) -> Option<&Instrument>) {
        if let Some(counter) = self.by_reporter.get(reporter as usize).and_then(counter) {
            counter.add(1);
        }
    }

    pub(crate) fn flush<H: Host>(&self, host: &H, naming: &Naming) {
        for (reporter, counters) in Reporter::ALL.iter().zip(&self.by_reporter) {
            let name = |result: Option<Outcome>, metric: &str| {
                let mut name = String::new();
                naming.push_label(&mut name, "reporter", reporter.name());
                if let Some(outcome) = result {
                    naming.push_label(&mut name, "result", outcome.name());
                }
                name.push_str(&naming.metric(metric));
                name
            };
            for (outcome, counter) in Outcome::ALL.into_iter().zip(&counters.outcomes) {
                counter.flush(host, || name(Some(outcome), OUTCOMES));
            }
            for (counter, metric) in [
                (&counters.overflows, OVERFLOWS),
                (&counters.refused_hosts, REFUSED_HOSTS),
                (&counters.peer_mismatches, PEER_MISMATCHES),
                (&counters.unusable_values, UNUSABLE_VALUES),
            ] {
                counter.flush(host, || name(None, metric));
            }
        }
    }
}
