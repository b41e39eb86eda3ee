//! The updates of a filter chain.

use std::cell::Cell;
use std::rc::Rc;

/// Counts the updates of a filter chain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Updates(Rc<Cell<u32>>);

/// A filter chain between two updates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Generation {
    updates: Updates,
    number: u32,
}

impl Updates {
    /// Counts an update.
    pub(crate) fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// The chain after the last update.
    pub(crate) fn current(&self) -> Generation {
        Generation {
            updates: self.clone(),
            number: self.0.get(),
        }
    }
}

impl Generation {
    /// Whether the chain was updated since.
    pub(super) fn is_draining(&self) -> bool {
        self.number != self.updates.0.get()
    }
}
