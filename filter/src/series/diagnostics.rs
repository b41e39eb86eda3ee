//! The filter's counters about itself, which are always on.

use super::outcome::Outcome;
use super::pending::PendingStat;
use crate::host::{Host, MetricKind};
use crate::labels::{
    Naming, PEER_EXCHANGES, PEER_MISMATCHES, REUSED_METADATA, Reporter, SERIES_OVERFLOWS,
    UNANSWERED_FRAMES, UNUSABLE_VALUES,
};

/// Counters of one reporter.
#[derive(Debug)]
struct PerReporter {
    outcomes: [PendingStat; Outcome::ALL.len()],
    overflows: PendingStat,
    unanswered_frames: PendingStat,
    reused_metadata: PendingStat,
    peer_mismatches: PendingStat,
    unusable_values: PendingStat,
}

/// `istio_tcp_peer_exchange_total{reporter,result}`, and by reporter alone
/// `istio_tcp_series_overflow_total`, `istio_tcp_unanswered_frames_total`,
/// `istio_tcp_reused_metadata_total`, `istio_tcp_peer_mismatch_total` and
/// `istio_tcp_unusable_values_total`. A counter appears with
/// its first event.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    by_reporter: [PerReporter; Reporter::ALL.len()],
}

impl Default for PerReporter {
    fn default() -> Self {
        Self {
            outcomes: Outcome::ALL.map(|_| counter()),
            overflows: counter(),
            unanswered_frames: counter(),
            reused_metadata: counter(),
            peer_mismatches: counter(),
            unusable_values: counter(),
        }
    }
}

fn counter() -> PendingStat {
    PendingStat::new(MetricKind::Counter)
}

impl Diagnostics {
    /// An exchange ended.
    pub(crate) fn outcome(&self, reporter: Reporter, outcome: Outcome) {
        self.count(reporter, |counters| counters.outcomes.get(outcome as usize));
    }

    /// `count` expressions of a connection had a value that is neither text nor number.
    pub(crate) fn unusable_values(&self, reporter: Reporter, count: i64) {
        if let Some(counters) = self.by_reporter.get(reporter as usize) {
            counters.unusable_values.add(count);
        }
    }

    /// A connection was counted under coarser labels because the series are at their limit.
    pub(crate) fn overflow(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.overflows));
    }

    /// A server that sent a frame on an earlier connection answered one without one.
    pub(crate) fn unanswered_frame(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.unanswered_frames));
    }

    /// A connection has the metadata of another connection of the same client.
    pub(crate) fn reused_metadata(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.reused_metadata));
    }

    /// A peer's metadata has another namespace than its certificate.
    pub(crate) fn peer_mismatch(&self, reporter: Reporter) {
        self.count(reporter, |counters| Some(&counters.peer_mismatches));
    }

    fn count(
        &self,
        reporter: Reporter,
        counter: impl FnOnce(&PerReporter) -> Option<&PendingStat>,
    ) {
        if let Some(counter) = self.by_reporter.get(reporter as usize).and_then(counter) {
            counter.add(1);
        }
    }

    /// Sends all pending amounts to the host.
    pub(crate) fn report<H: Host>(&self, host: &H, naming: &Naming) {
        for (reporter, counters) in Reporter::ALL.iter().zip(&self.by_reporter) {
            let stat_name = |outcome: Option<Outcome>, metric: &str| {
                let mut name = String::new();
                naming.push_label(&mut name, "reporter", reporter.name());
                if let Some(outcome) = outcome {
                    naming.push_label(&mut name, "result", outcome.name());
                }
                name.push_str(&naming.metric(metric));
                name
            };
            for (outcome, counter) in Outcome::ALL.into_iter().zip(&counters.outcomes) {
                counter.send(host, || stat_name(Some(outcome), PEER_EXCHANGES));
            }
            for (counter, metric) in [
                (&counters.overflows, SERIES_OVERFLOWS),
                (&counters.unanswered_frames, UNANSWERED_FRAMES),
                (&counters.reused_metadata, REUSED_METADATA),
                (&counters.peer_mismatches, PEER_MISMATCHES),
                (&counters.unusable_values, UNUSABLE_VALUES),
            ] {
                counter.send(host, || stat_name(None, metric));
            }
        }
    }
}
