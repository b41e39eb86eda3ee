//! Tick timers, at most one for each root context.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Copy)]
struct Timer {
    period: Duration,
    due: Duration,
}

/// The timers of one VM, by root context.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeMap<u32, Timer>);

impl Timers {
    /// Starts a new period; zero stops the timer. Envoy: `Wasm::setTimerPeriod`.
    pub(crate) fn set(&mut self, root: u32, period: Duration, now: Duration) {
        if period.is_zero() {
            self.cancel(root);
        } else {
            self.0.insert(
                root,
                Timer {
                    period,
                    due: now + period,
                },
            );
        }
    }

    pub(crate) fn cancel(&mut self, root: u32) {
        self.0.remove(&root);
    }

    /// The timer that is due next: the time, and the root context.
    pub(crate) fn next(&self) -> Option<(Duration, u32)> {
        self.0.iter().map(|(root, timer)| (timer.due, *root)).min()
    }

    /// Starts the next period after a tick.
    pub(crate) fn rearm(&mut self, root: u32, now: Duration) {
        if let Some(timer) = self.0.get_mut(&root)
            && timer.due <= now
        {
            timer.due = now + timer.period;
        }
    }
}
