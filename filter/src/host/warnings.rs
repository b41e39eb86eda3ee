//! Warnings in the host's log that a peer can cause.

use std::cell::Cell;

/// How many warnings are logged in a reporting interval: no peer can flood the log.
const MAX_PER_INTERVAL: u32 = 10;

/// Logs a limited number of warnings in each reporting interval.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    logged: Cell<u32>,
}

impl Warnings {
    /// Logs a warning, unless this interval's limit is reached.
    pub(crate) fn warn(&self, message: impl FnOnce() -> String) {
        let logged = self.logged.get();
        if logged < MAX_PER_INTERVAL {
            self.logged.set(logged + 1);
            log::warn!("{}", message());
        }
    }

    /// Starts a new reporting interval.
    pub(crate) fn start_interval(&self) {
        self.logged.set(0);
    }
}
