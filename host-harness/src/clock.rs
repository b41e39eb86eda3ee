//! Virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A clock that only a test moves. Clones share the time.
#[derive(Debug, Clone)]
pub struct Clock(Rc<Cell<Duration>>);

impl Clock {
    /// Returns a clock at this time since the Unix epoch.
    pub fn at(now: Duration) -> Self {
        Self(Rc::new(Cell::new(now)))
    }

    /// Returns the time since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.0.get()
    }

    pub(crate) fn set(&self, now: Duration) {
        self.0.set(now);
    }
}

/// 2024-01-01T00:00:00Z, a real date for filters that format the time.
impl Default for Clock {
    fn default() -> Self {
        Self::at(Duration::from_secs(1_704_067_200))
    }
}
