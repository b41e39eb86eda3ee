//! Series: one label set of each metric, and the counts that are not reported yet.
//!
//! Connections with the same labels share a series. A data callback adds to a cell and, the first
//! time since the last report, puts the series on the list of changed ones: no hostcall, no
//! allocation. A report walks that list only, so its cost follows the series that changed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hashbrown::HashMap;

use super::key::SeriesKey;
use super::pending::PendingStat;
use super::selection::LabelSelection;
use crate::host::{Host, MetricKind};
use crate::labels::Metric;

/// The metrics of connections with equal labels.
#[derive(Debug)]
pub(crate) struct Series {
    key: Rc<SeriesKey>,
    /// By the metric's index in the selection; `None` if the metric is left out.
    stats: Box<[Option<PendingStat>]>,
    /// The series is on the list of changed series.
    is_listed: Cell<bool>,
    changed: Rc<ChangedSeries>,
}

/// The series that changed since the last report.
type ChangedSeries = RefCell<Vec<Rc<Series>>>;

impl Series {
    /// Adds to a counter or a gauge; the next report sends it.
    pub(crate) fn add(self: &Rc<Self>, metric: Metric, by: i64) {
        self.add_at(metric as usize, by);
    }

    fn add_at(self: &Rc<Self>, index: usize, by: i64) {
        let Some(stat) = self.stat(index) else {
            return;
        };
        stat.add(by);
        if !self.is_listed.replace(true) {
            self.changed.borrow_mut().push(Rc::clone(self));
        }
    }

    /// Records one value of a histogram.
    pub(crate) fn record<H: Host>(
        &self,
        host: &H,
        selection: &LabelSelection,
        metric: Metric,
        value: u64,
    ) {
        self.record_at(host, selection, metric as usize, value);
    }

    fn record_at<H: Host>(&self, host: &H, selection: &LabelSelection, index: usize, value: u64) {
        if let Some(stat) = self.stat(index) {
            stat.record(host, value, || self.name(selection, index));
        }
    }

    /// Counts one connection in the metric of `definitions[]` at `index`. A value below zero counts
    /// as zero, because Envoy's stats cannot take it.
    pub(crate) fn add_defined<H: Host>(
        self: &Rc<Self>,
        host: &H,
        selection: &LabelSelection,
        index: usize,
        value: i64,
    ) {
        let value = value.max(0);
        match self.stat(index).map(PendingStat::kind) {
            Some(MetricKind::Counter) => self.add_at(index, value),
            Some(_) => self.record_at(host, selection, index, value.unsigned_abs()),
            None => {}
        }
    }

    /// Sends all pending amounts to the host. Returns `false` if a hostcall failed.
    ///
    /// The series stays on the list of changed ones, where one without pending amounts costs
    /// nothing.
    pub(crate) fn report<H: Host>(&self, host: &H, selection: &LabelSelection) -> bool {
        let mut sent = true;
        for (index, stat) in self.stats.iter().enumerate() {
            if let Some(stat) = stat {
                sent &= stat.send(host, || self.name(selection, index));
            }
        }
        sent
    }

    /// The name of the metric's stat; `None` if the metric is left out.
    pub(crate) fn stat_name(&self, selection: &LabelSelection, metric: Metric) -> Option<String> {
        selection.stat_name(&self.key, metric as usize)
    }

    fn stat(&self, index: usize) -> Option<&PendingStat> {
        self.stats.get(index)?.as_ref()
    }

    fn name(&self, selection: &LabelSelection, index: usize) -> String {
        selection.stat_name(&self.key, index).unwrap_or_default()
    }
}

/// All series of a plugin in one VM.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    by_key: HashMap<Rc<SeriesKey>, Rc<Series>>,
    changed: Rc<ChangedSeries>,
    max: usize,
}

impl SeriesTable {
    /// A table of up to `max` series, besides those of [`get_coarse`](Self::get_coarse).
    pub(crate) fn new(max: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            changed: Rc::default(),
            max,
        }
    }

    /// The series with this key. A new one is defined in the host with all its stats at 0; `None`
    /// if it is new and the table is full.
    pub(crate) fn get<H: Host>(
        &mut self,
        host: &H,
        selection: &LabelSelection,
        key: SeriesKey,
    ) -> Option<Rc<Series>> {
        match self.by_key.get(&key) {
            Some(series) => Some(Rc::clone(series)),
            None if self.by_key.len() >= self.max => None,
            None => Some(self.insert(host, selection, key)),
        }
    }

    /// The series with this key, whether the table is full or not. No peer may choose a value of
    /// its labels.
    pub(crate) fn get_coarse<H: Host>(
        &mut self,
        host: &H,
        selection: &LabelSelection,
        key: SeriesKey,
    ) -> Rc<Series> {
        match self.by_key.get(&key) {
            Some(series) => Rc::clone(series),
            None => self.insert(host, selection, key),
        }
    }

    fn insert<H: Host>(
        &mut self,
        host: &H,
        selection: &LabelSelection,
        mut key: SeriesKey,
    ) -> Rc<Series> {
        key.shrink_to_fit();
        let key = Rc::new(key);
        let mut stats = Vec::new();
        for (index, kind) in selection.kinds().enumerate() {
            stats.push(key.labels(index).map(|_| PendingStat::new(kind)));
        }
        let series = Rc::new(Series {
            key: Rc::clone(&key),
            stats: stats.into(),
            is_listed: Cell::new(false),
            changed: Rc::clone(&self.changed),
        });
        for (index, stat) in series.stats.iter().enumerate() {
            if let Some(stat) = stat {
                stat.define(host, || series.name(selection, index));
            }
        }
        self.by_key.insert(key, Rc::clone(&series));
        series
    }

    /// The series that the next report sends.
    #[cfg(test)]
    pub(crate) fn changed(&self) -> Vec<Rc<Series>> {
        self.changed.borrow().clone()
    }

    /// Reports every series that changed since the last report.
    pub(crate) fn report<H: Host>(&self, host: &H, selection: &LabelSelection) {
        let changed = self.changed.take();
        for series in changed {
            series.is_listed.set(false);
            if !series.report(host, selection) && !series.is_listed.replace(true) {
                self.changed.borrow_mut().push(series);
            }
        }
    }
}

impl Drop for SeriesTable {
    /// The list of changed series and the series on it hold each other.
    fn drop(&mut self) {
        self.changed.take();
    }
}
