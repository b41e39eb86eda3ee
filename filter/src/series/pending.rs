//! One stat of the host, with the amount that is not reported yet.

use std::cell::Cell;

use crate::host::{Host, MetricId, MetricKind};

/// One stat of the host, with the amount that is not reported yet.
#[derive(Debug)]
pub(super) struct PendingStat {
    kind: MetricKind,
    id: Cell<Option<MetricId>>,
    pending: Cell<i64>,
}

impl PendingStat {
    pub(super) fn new(kind: MetricKind) -> Self {
        Self {
            kind,
            id: Cell::new(None),
            pending: Cell::new(0),
        }
    }

    pub(super) fn kind(&self) -> MetricKind {
        self.kind
    }

    /// Adds to a counter or a gauge; [`send`](Self::send) reports it.
    pub(super) fn add(&self, by: i64) {
        self.pending.set(self.pending.get().saturating_add(by));
    }

    /// Records one value of a histogram, or sets a gauge. If the hostcall fails, the value is lost.
    pub(super) fn record<H: Host>(&self, host: &H, value: u64, name: impl FnOnce() -> String) {
        if let Some(id) = self.define(host, name)
            && let Err(status) = host.record(id, value)
        {
            log::debug!("recording the value {value} failed: {status}");
        }
    }

    /// Defines the stat, which the host shows as 0 from then on if it is a counter or a gauge.
    ///
    /// If the hostcall fails, the next call tries again.
    pub(super) fn define<H: Host>(
        &self,
        host: &H,
        name: impl FnOnce() -> String,
    ) -> Option<MetricId> {
        if self.id.get().is_none() {
            self.id.set(host.define_metric(self.kind, &name()).ok());
        }
        self.id.get()
    }

    /// Adds the pending amount to the host's stat. Returns `false` if a hostcall failed and the
    /// amount is still pending.
    pub(super) fn send<H: Host>(&self, host: &H, name: impl FnOnce() -> String) -> bool {
        let pending = self.pending.get();
        if pending == 0 {
            return true;
        }
        let Some(id) = self.define(host, name) else {
            return false;
        };
        let sent = host.increment(id, pending).is_ok();
        if sent {
            self.pending.set(0);
        }
        sent
    }
}
