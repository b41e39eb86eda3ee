//! The values of the four metrics.

use serde::Serialize;

use crate::exposition::Exposition;
use crate::labels::{CLOSED, OPENED, RECEIVED, SENT};
use crate::tap::Tally;

/// Connections and payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Connections opened.
    pub opened: u64,
    /// Connections closed.
    pub closed: u64,
    /// Bytes from clients to the server.
    pub received: u64,
    /// Bytes from the server to clients.
    pub sent: u64,
}

impl Counts {
    /// The counts of a tap.
    #[must_use]
    pub fn seen(tally: &Tally) -> Self {
        Self {
            opened: tally.opened(),
            closed: tally.closed(),
            received: tally.received(),
            sent: tally.sent(),
        }
    }

    /// The counts of a filter, summed over the series whose labels include `labels`.
    #[must_use]
    pub fn reported(metrics: &Exposition, labels: &[(&str, &str)]) -> Self {
        // Counters are integers that an f64 represents exactly.
        let sum = |name| metrics.sum(name, labels) as u64;
        Self {
            opened: sum(OPENED),
            closed: sum(CLOSED),
            received: sum(RECEIVED),
            sent: sum(SENT),
        }
    }

    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}
