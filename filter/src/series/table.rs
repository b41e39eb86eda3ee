//! Series: one label set, its metrics, and what has not been reported yet.
//!
//! Connections with the same labels share a series. A data callback adds to a cell and, the first
//! time since the last report, puts the series on the dirty list: no hostcall, no allocation. A
//! report walks the dirty list only, so its cost follows the series that moved.

use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::pending::Instrument;
use super::selection::{Layout, SeriesKey};
use crate::host::Host;
use crate::host::MetricKind;
use crate::labels::metric::Metric;

/// One label set and its metrics.
#[derive(Debug)]
pub(crate) struct Series {
    key: SeriesKey,
    /// By the metric's index in the layout; none where it is left out.
    instruments: Box<[Option<Instrument>]>,
    dirty: Cell<bool>,
    queue: Rc<DirtyList>,
}

type DirtyList = RefCell<Vec<Rc<Series>>>;

impl Series {
    pub(crate) fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Adds to a counter or a gauge; reported at the next tick or close.
    pub(crate) fn add(self: &Rc<Self>, metric: Metric, by: i64) {
        self.add_at(metric as usize, by);
    }

    fn add_at(self: &Rc<Self>, index: usize, by: i64) {
        let Some(instrument) = self.instrument(index) else {
            return;
        };
        instrument.add(by);
        if !self.dirty.replace(true) {
            self.queue.borrow_mut().push(Rc::clone(self));
        }
    }

    /// Hands one value to a histogram.
    pub(crate) fn record<H: Host>(&self, host: &H, layout: &Layout, metric: Metric, value: u64) {
        self.record_at(host, layout, metric as usize, value);
    }

    fn record_at<H: Host>(&self, host: &H, layout: &Layout, index: usize, value: u64) {
        if let Some(instrument) = self.instrument(index) {
            instrument.record(host, value, || self.stat(layout, index));
        }
    }

    /// Counts one connection in a metric of the user's own. A value below zero counts as zero:
    /// no stat of the host's can go down by it.
    pub(crate) fn observe<H: Host>(
        self: &Rc<Self>,
        host: &H,
        layout: &Layout,
        index: usize,
        value: i64,
    ) {
        let value = value.max(0);
        match self.instrument(index).map(Instrument::kind) {
            Some(MetricKind::Counter) => self.add_at(index, value),
            Some(_) => self.record_at(host, layout, index, value.unsigned_abs()),
            None => {}
        }
    }

    /// Reports what is pending; stays on the dirty list, where a clean series costs nothing.
    pub(crate) fn flush<H: Host>(&self, host: &H, layout: &Layout) -> bool {
        let mut clean = true;
        for (index, instrument) in self.instruments.iter().enumerate() {
            if let Some(instrument) = instrument {
                clean &= instrument.flush(host, || self.stat(layout, index));
            }
        }
        clean
    }

    fn instrument(&self, index: usize) -> Option<&Instrument> {
        self.instruments.get(index)?.as_ref()
    }

    fn stat(&self, layout: &Layout, index: usize) -> String {
        layout.stat(&self.key, index).unwrap_or_default()
    }
}

/// All series of a plugin in one VM.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    by_key: HashMap<SeriesKey, Rc<Series>>,
    dirty: Rc<DirtyList>,
    max: usize,
}

impl SeriesTable {
    /// A table that takes up to `max` series before it asks for coarser labels.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            dirty: Rc::default(),
            max,
        }
    }

    /// The series of a label set, made known to the host with all its stats at 0 when it is new;
    /// `None` when it is new and the table is full.
    pub(crate) fn get<H: Host>(
        &mut self,
        host: &H,
        layout: &Layout,
        key: &SeriesKey,
    ) -> Option<Rc<Series>> {
        match self.by_key.get(key) {
            Some(series) => Some(Rc::clone(series)),
            None if self.by_key.len() >= self.max => None,
            None => Some(self.insert(host, layout, key)),
        }
    }

    /// The series of a label set that no peer can multiply: full or not, it is found or made.
    pub(crate) fn get_coarse<H: Host>(
        &mut self,
        host: &H,
        layout: &Layout,
        key: &SeriesKey,
    ) -> Rc<Series> {
        match self.by_key.get(key) {
            Some(series) => Rc::clone(series),
            None => self.insert(host, layout, key),
        }
    }

    fn insert<H: Host>(&mut self, host: &H, layout: &Layout, key: &SeriesKey) -> Rc<Series> {
        let instrument = |(index, kind)| key.head(index).map(|_| Instrument::new(kind));
        let series = Rc::new(Series {
            key: key.clone(),
            instruments: layout.kinds().enumerate().map(instrument).collect(),
            dirty: Cell::new(false),
            queue: Rc::clone(&self.dirty),
        });
        for (index, instrument) in series.instruments.iter().enumerate() {
            if let Some(instrument) = instrument {
                instrument.define(host, || series.stat(layout, index));
            }
        }
        self.by_key.insert(key.clone(), Rc::clone(&series));
        series
    }

    /// Reports every series that moved since the last time.
    pub(crate) fn flush<H: Host>(&self, host: &H, layout: &Layout) {
        let moved = self.dirty.take();
        for series in moved {
            series.dirty.set(false);
            if !series.flush(host, layout) && !series.dirty.replace(true) {
                self.dirty.borrow_mut().push(series);
            }
        }
    }
}

impl Drop for SeriesTable {
    /// Series that moved since the last report and the list of them hold each other.
    fn drop(&mut self) {
        self.dirty.take();
    }
}
