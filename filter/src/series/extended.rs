//! The opt-in metrics that Istio does not have.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hashbrown::HashMap;

use super::pending::PendingStat;
use super::selection::LabelSelection;
use super::table::Series;
use crate::host::{Host, MetricKind};
use crate::labels::{Metric, RESPONSE_FLAGS, ResponseFlags};

/// The state of the opt-in metrics that is not part of a series.
#[derive(Debug)]
pub(crate) struct ExtendedMetrics {
    /// Connections closed, by the name of the stat: it has the response flags of the close, which
    /// may be others than those of the series.
    terminated: RefCell<HashMap<String, PendingStat>>,
    /// A stat was not sent because a hostcall failed.
    is_pending: Cell<bool>,
    max: usize,
}

impl ExtendedMetrics {
    /// `max` is how many stats the flags of the close can make.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            terminated: RefCell::default(),
            is_pending: Cell::new(false),
            max,
        }
    }

    /// Records the duration of an exchange on a connection that opened at `opened`.
    pub(crate) fn exchanged<H: Host>(
        &self,
        host: &H,
        selection: &LabelSelection,
        series: &Series,
        opened: Duration,
    ) {
        if let Some(millis) = millis_since(host, opened) {
            series.record(host, selection, Metric::ExchangeDuration, millis);
        }
    }

    /// Counts a connection that closed with these flags; `opened` is when it opened, if the host
    /// returned the time.
    pub(crate) fn closed<H: Host>(
        &self,
        host: &H,
        selection: &LabelSelection,
        series: &Series,
        opened: Option<Duration>,
        flags: ResponseFlags,
    ) {
        if let Some(millis) = opened.and_then(|opened| millis_since(host, opened)) {
            series.record(host, selection, Metric::ConnectionDuration, millis);
        }
        let Some(stat) = series.stat_name(selection, Metric::Terminated) else {
            return;
        };
        let mut terminated = self.terminated.borrow_mut();
        let final_stat =
            selection
                .naming()
                .replace_flags(&stat, RESPONSE_FLAGS, &flags.to_string());
        let stat = match terminated.contains_key(&final_stat) || terminated.len() < self.max {
            true => final_stat,
            false => stat,
        };
        let counter = terminated
            .entry(stat.clone())
            .or_insert_with(|| PendingStat::new(MetricKind::Counter));
        counter.add(1);
        if !counter.send(host, || stat) {
            self.is_pending.set(true);
        }
    }

    /// Sends the counts again whose hostcalls failed.
    pub(crate) fn report<H: Host>(&self, host: &H) {
        if !self.is_pending.replace(false) {
            return;
        }
        for (stat, counter) in self.terminated.borrow().iter() {
            if !counter.send(host, || stat.clone()) {
                self.is_pending.set(true);
            }
        }
    }
}

fn millis_since<H: Host>(host: &H, opened: Duration) -> Option<u64> {
    let lasted = host.now().ok()?.saturating_sub(opened);
    u64::try_from(lasted.as_millis()).ok()
}
