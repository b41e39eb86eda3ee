//! Warnings in the host's log that a peer can cause.

use std::cell::Cell;

/// How many warnings are logged in a reporting interval: no peer can flood the log.
const MAX_PER_INTERVAL: u32 = 10;

/// The number of warnings in a reporting interval, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    logged: Cell<u32>,
}

impl Warnings {
    /// Counts a warning. Returns `false` if this interval's limit is reached and it may not be
    /// logged.
    pub(crate) fn allow(&self) -> bool {
        let logged = self.logged.get();
        self.logged.set(logged.saturating_add(1));
        logged < MAX_PER_INTERVAL
    }

    /// Starts a new reporting interval.
    pub(crate) fn start_interval(&self) {
        self.logged.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_limited_number_of_warnings() {
        let warnings = Warnings::default();
        for _ in 0..2 {
            let allowed = (0..20).filter(|_| warnings.allow()).count();
            assert_eq!(allowed, 10);
            warnings.start_interval();
        }
    }
}
