//! What the filter says of itself: counters that are on by default.

use crate::exchange::Outcome;
use crate::host::Host;
use crate::labels::{Reporter, UNKNOWN, push};
use crate::series::Counter;

/// Counters of one reporter.
#[derive(Debug, Default)]
struct PerReporter {
    outcomes: [Counter; Outcome::ALL.len()],
    overflows: Counter,
    refused_hosts: Counter,
}

/// `istio_tcp_peer_exchange_total{reporter,result}`, `istio_tcp_series_overflow_total{reporter}`
/// and `istio_tcp_refused_hosts_total{reporter}`. A counter appears with its first event.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    source: PerReporter,
    destination: PerReporter,
}

impl Diagnostics {
    /// An exchange ended.
    pub(crate) fn outcome(&self, reporter: Reporter, outcome: Outcome) {
        let counters = &self.of(reporter).outcomes;
        let counter = Outcome::ALL
            .iter()
            .zip(counters)
            .find(|(of, _)| **of == outcome);
        if let Some((_, counter)) = counter {
            counter.add(1);
        }
    }

    /// A connection was counted under coarser labels because the series are at their limit.
    pub(crate) fn overflow(&self, reporter: Reporter) {
        self.of(reporter).overflows.add(1);
    }

    /// An upstream address was put on the refused list.
    pub(crate) fn refused_host(&self, reporter: Reporter) {
        self.of(reporter).refused_hosts.add(1);
    }

    pub(crate) fn flush<H: Host>(&self, host: &H) {
        for reporter in [Reporter::Source, Reporter::Destination] {
            let name = |result: Option<Outcome>, metric: &str| {
                let mut name = String::new();
                push(&mut name, "reporter", reporter.name(), UNKNOWN);
                if let Some(outcome) = result {
                    push(&mut name, "result", outcome.name(), UNKNOWN);
                }
                name.push_str(metric);
                name
            };
            let counters = self.of(reporter);
            for (outcome, counter) in Outcome::ALL.into_iter().zip(&counters.outcomes) {
                counter.flush(host, || {
                    name(Some(outcome), "istio_tcp_peer_exchange_total")
                });
            }
            counters
                .overflows
                .flush(host, || name(None, "istio_tcp_series_overflow_total"));
            counters
                .refused_hosts
                .flush(host, || name(None, "istio_tcp_refused_hosts_total"));
        }
    }

    fn of(&self, reporter: Reporter) -> &PerReporter {
        match reporter {
            Reporter::Source => &self.source,
            Reporter::Destination => &self.destination,
        }
    }
}
