//! One stat of the host and what the host has not been told yet.

use std::cell::Cell;

use crate::host::MetricKind;
use crate::host::{Host, MetricId};

/// One stat of the host and what the host has not been told yet.
#[derive(Debug)]
pub(crate) struct Instrument {
    kind: MetricKind,
    id: Cell<Option<MetricId>>,
    pending: Cell<i64>,
}

impl Instrument {
    pub(crate) fn new(kind: MetricKind) -> Self {
        Self {
            kind,
            id: Cell::new(None),
            pending: Cell::new(0),
        }
    }

    pub(crate) fn kind(&self) -> MetricKind {
        self.kind
    }

    /// Adds to a counter or a gauge; the host is told at the next flush.
    pub(crate) fn add(&self, by: i64) {
        self.pending.set(self.pending.get().saturating_add(by));
    }

    /// Hands one value to a histogram, or sets a gauge. What the host does not take is lost.
    pub(crate) fn record<H: Host>(&self, host: &H, value: u64, name: impl FnOnce() -> String) {
        if let Some(id) = self.define(host, name)
            && let Err(status) = host.record(id, value)
        {
            log::debug!("the host does not record {value}: {status}");
        }
    }

    /// Makes the stat known to the host, which shows a counter or a gauge as 0 from then on.
    ///
    /// A host that refuses is asked again at the next flush.
    pub(crate) fn define<H: Host>(
        &self,
        host: &H,
        name: impl FnOnce() -> String,
    ) -> Option<MetricId> {
        if self.id.get().is_none() {
            self.id.set(host.define_metric(self.kind, &name()).ok());
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
