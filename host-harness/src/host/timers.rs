//! Tick timers: at most one for each root context.

use super::Host;
use crate::abi::HostResult;
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
    /// A new period starts counting now; zero stops the timer. Envoy: `Wasm::setTimerPeriod`.
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

    /// The timer that fires next: when, and whose it is.
    pub(crate) fn next(&self) -> Option<(Duration, u32)> {
        self.0.iter().map(|(root, timer)| (timer.due, *root)).min()
    }

    /// Starts the next period, after a tick was delivered.
    pub(crate) fn rearm(&mut self, root: u32, now: Duration) {
        if let Some(timer) = self.0.get_mut(&root)
            && timer.due <= now
        {
            timer.due = now + timer.period;
        }
    }
}

impl Host {
    /// `proxy_set_tick_period_milliseconds`: the timer is the root context's, whoever asks.
    pub(crate) fn set_tick_period(&mut self, period: Duration) -> HostResult {
        let root = self.context()?.root;
        let now = self.process.clock.now();
        self.timers.set(root, period, now);
        Ok(())
    }
}
