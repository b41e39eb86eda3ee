//! Virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A clock that moves only when a test says so. Clones share the time.
#[derive(Debug, Clone)]
pub struct Clock(Rc<Cell<Duration>>);

impl Clock {
    /// A clock that shows this time since the Unix epoch.
    pub fn at(now: Duration) -> Self {
        Self(Rc::new(Cell::new(now)))
    }

    /// The time since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.0.get()
    }

    pub(crate) fn set(&self, now: Duration) {
        self.0.set(now);
    }
}

/// 2024-01-01T00:00:00Z: a real date, so that filters that format the time are at ease.
impl Default for Clock {
    fn default() -> Self {
        Self::at(Duration::from_secs(1_704_067_200))
    }
}
