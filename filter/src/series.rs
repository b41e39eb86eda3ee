//! Series: one label set, four counters, and what has not been reported yet.
//!
//! Connections with the same labels share a series. A data callback adds to a cell and, the first
//! time since the last report, puts the series on the dirty list: no hostcall, no allocation. A
//! report walks the dirty list only, so its cost follows the series that moved.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::host::{Host, MetricId};

/// The four metrics, in the order of their counters in a [`Series`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Metric {
    /// Connections opened.
    Opened,
    /// Connections closed.
    Closed,
    /// Bytes from the server to the client, on both reporters.
    Sent,
    /// Bytes from the client to the server, on both reporters.
    Received,
}

impl Metric {
    const ALL: [Self; 4] = [Self::Opened, Self::Closed, Self::Sent, Self::Received];

    fn name(self) -> &'static str {
        match self {
            Self::Opened => "istio_tcp_connections_opened_total",
            Self::Closed => "istio_tcp_connections_closed_total",
            Self::Sent => "istio_tcp_sent_bytes_total",
            Self::Received => "istio_tcp_received_bytes_total",
        }
    }
}

/// A counter of the host and what it has not been told yet.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    id: Cell<Option<MetricId>>,
    pending: Cell<u64>,
}

impl Counter {
    pub(crate) fn add(&self, by: u64) {
        self.pending.set(self.pending.get().saturating_add(by));
    }

    /// Makes the counter known to the host, which shows it as 0 from then on.
    ///
    /// A host that refuses is asked again at the next flush.
    pub(crate) fn define<H: Host>(
        &self,
        host: &H,
        name: impl FnOnce() -> String,
    ) -> Option<MetricId> {
        if self.id.get().is_none() {
            self.id.set(host.define_counter(&name()).ok());
        }
        self.id.get()
    }

    /// Tells the host; what it does not take stays pending. Says whether nothing is left.
    pub(crate) fn flush<H: Host>(&self, host: &H, name: impl FnOnce() -> String) -> bool {
        let pending = self.pending.get();
        if pending == 0 {
            return true;
        }
        let Some(id) = self.define(host, name) else {
            return false;
        };
        let taken = host.increment(id, pending).is_ok();
        if taken {
            self.pending.set(0);
        }
        taken
    }
}

/// One label set and its four counters.
#[derive(Debug)]
pub(crate) struct Series {
    head: Rc<str>,
    counters: [Counter; 4],
    dirty: Cell<bool>,
    queue: Rc<DirtyList>,
}

type DirtyList = RefCell<Vec<Rc<Series>>>;

impl Series {
    /// Adds to one of the counters; reported at the next tick or close.
    pub(crate) fn add(self: &Rc<Self>, metric: Metric, by: u64) {
        if let Some(counter) = self.counters.get(metric as usize) {
            counter.add(by);
        }
        if !self.dirty.replace(true) {
            self.queue.borrow_mut().push(Rc::clone(self));
        }
    }

    /// Reports what is pending; stays on the dirty list, where a clean series costs nothing.
    pub(crate) fn flush<H: Host>(&self, host: &H) -> bool {
        let mut clean = true;
        for (counter, metric) in self.counters.iter().zip(Metric::ALL) {
            clean &= counter.flush(host, || self.name(metric));
        }
        clean
    }

    fn name(&self, metric: Metric) -> String {
        format!("{}{}", self.head, metric.name())
    }
}

/// All series of a plugin in one VM.
#[derive(Debug)]
pub(crate) struct SeriesTable {
    by_head: HashMap<Rc<str>, Rc<Series>>,
    dirty: Rc<DirtyList>,
    max: usize,
}

impl SeriesTable {
    /// A table that takes up to `max` series before it asks for coarser labels.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            by_head: HashMap::new(),
            dirty: Rc::default(),
            max,
        }
    }

    /// The series of a label set, made known to the host with all four counters at 0 when it is
    /// new; `None` when it is new and the table is full.
    pub(crate) fn get<H: Host>(&mut self, host: &H, head: &str) -> Option<Rc<Series>> {
        match self.by_head.get(head) {
            Some(series) => Some(Rc::clone(series)),
            None if self.by_head.len() >= self.max => None,
            None => Some(self.insert(host, head)),
        }
    }

    /// The series of a label set that no peer can multiply: full or not, it is found or made.
    pub(crate) fn get_coarse<H: Host>(&mut self, host: &H, head: &str) -> Rc<Series> {
        match self.by_head.get(head) {
            Some(series) => Rc::clone(series),
            None => self.insert(host, head),
        }
    }

    fn insert<H: Host>(&mut self, host: &H, head: &str) -> Rc<Series> {
        let head: Rc<str> = Rc::from(head);
        let series = Rc::new(Series {
            head: Rc::clone(&head),
            counters: Default::default(),
            dirty: Cell::new(false),
            queue: Rc::clone(&self.dirty),
        });
        for (counter, metric) in series.counters.iter().zip(Metric::ALL) {
            counter.define(host, || series.name(metric));
        }
        self.by_head.insert(head, Rc::clone(&series));
        series
    }

    /// Reports every series that moved since the last time.
    pub(crate) fn flush<H: Host>(&self, host: &H) {
        let moved = self.dirty.take();
        for series in moved {
            series.dirty.set(false);
            if !series.flush(host) && !series.dirty.replace(true) {
                self.dirty.borrow_mut().push(series);
            }
        }
    }
}
