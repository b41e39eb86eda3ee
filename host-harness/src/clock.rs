//! Virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// A clock that only a test moves. Clones share the time.
#[derive(Debug, Clone)]
pub struct Clock(Rc<Time>);

#[derive(Debug)]
struct Time {
    now: Cell<Duration>,
    /// The number of events so far. Events at the same time have an order.
    events: Cell<u64>,
}

impl Clock {
    /// Returns a clock at this time since the Unix epoch.
    pub fn at(now: Duration) -> Self {
        Self(Rc::new(Time {
            now: Cell::new(now),
            events: Cell::new(0),
        }))
    }

    /// Returns the time since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.0.now.get()
    }

    pub(crate) fn set(&self, now: Duration) {
        self.0.now.set(now);
    }

    /// Counts an event and returns its number.
    pub(crate) fn next_event(&self) -> u64 {
        self.0.events.replace(self.0.events.get() + 1)
    }
}

/// 2024-01-01T00:00:00Z, a real date for filters that format the time.
impl Default for Clock {
    fn default() -> Self {
        Self::at(Duration::from_secs(1_704_067_200))
    }
}
