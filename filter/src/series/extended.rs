//! The metrics that Istio does not have, for those who ask for them.

use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::time::Duration;

use super::pending::Instrument;
use super::selection::Layout;
use super::table::Series;
use crate::host::Host;
use crate::host::MetricKind;
use crate::labels::metric::Metric;
use crate::labels::response_flags::ResponseFlags;

/// What they need that no series has.
#[derive(Debug)]
pub(crate) struct Extended {
    /// Connections closed, by stat: the flags in it are not those of the series.
    terminated: RefCell<HashMap<String, Instrument>>,
    /// The host did not take all of it.
    owing: Cell<bool>,
    max: usize,
}

impl Extended {
    /// `max` is how many stats the flags at the close may make.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            terminated: RefCell::default(),
            owing: Cell::new(false),
            max,
        }
    }

    /// The peer's frame was read on a connection that opened at `opened`.
    pub(crate) fn exchanged<H: Host>(
        &self,
        host: &H,
        layout: &Layout,
        series: &Series,
        opened: Duration,
    ) {
        if let Some(millis) = millis_since(host, opened) {
            series.record(host, layout, Metric::ExchangeDuration, millis);
        }
    }

    /// A connection is over, with these flags; `opened` is when it opened, if the host told.
    pub(crate) fn closed<H: Host>(
        &self,
        host: &H,
        layout: &Layout,
        series: &Series,
        opened: Option<Duration>,
        flags: ResponseFlags,
    ) {
        if let Some(millis) = opened.and_then(|opened| millis_since(host, opened)) {
            series.record(host, layout, Metric::ConnectionDuration, millis);
        }
        let Some(stat) = layout.stat(series.key(), Metric::Terminated as usize) else {
            return;
        };
        let mut terminated = self.terminated.borrow_mut();
        let final_stat = layout
            .naming()
            .replace_flags(&stat, "response_flags", &flags.to_string());
        let stat = match terminated.contains_key(&final_stat) || terminated.len() < self.max {
            true => final_stat,
            false => stat,
        };
        let counter = terminated
            .entry(stat.clone())
            .or_insert_with(|| Instrument::new(MetricKind::Counter));
        counter.add(1);
        if !counter.flush(host, || stat) {
            self.owing.set(true);
        }
    }

    /// Tells the host what it did not take before.
    pub(crate) fn flush<H: Host>(&self, host: &H) {
        if !self.owing.replace(false) {
            return;
        }
        for (stat, counter) in self.terminated.borrow().iter() {
            if !counter.flush(host, || stat.clone()) {
                self.owing.set(true);
            }
        }
    }
}

fn millis_since<H: Host>(host: &H, opened: Duration) -> Option<u64> {
    let lasted = host.now().ok()?.saturating_sub(opened);
    u64::try_from(lasted.as_millis()).ok()
}
