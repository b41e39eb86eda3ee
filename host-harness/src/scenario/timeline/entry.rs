//! The entries of a timeline.

use std::time::Duration;

use crate::scenario::engine::Failure;
use crate::scenario::roles::{End, Side};
use crate::trace::Moment;

/// What happens in a scenario: actions of the applications, callbacks and host calls of all filters,
/// and the bytes that arrive.
#[derive(Debug)]
#[non_exhaustive]
pub struct Timeline {
    /// The scenario's title.
    pub name: String,
    /// The sidecars, the client's first.
    pub sides: Vec<Side>,
    /// The entries, in their order.
    pub entries: Vec<Entry>,
    /// The reason why the scenario did not pass.
    pub failure: Option<Failure>,
    /// The time of the clock at the start.
    pub(super) start: Duration,
}

/// An entry of a timeline.
#[derive(Debug)]
#[non_exhaustive]
pub enum Entry {
    /// A step of the scenario begins.
    Step {
        /// The time of the clock, since the Unix epoch.
        at: Duration,
        /// The number, from 1.
        number: usize,
        /// What happens in it.
        action: Action,
    },
    /// A filter is called, or calls the host.
    Filter {
        /// The sidecar of the filter.
        side: Side,
        /// The event with its time.
        moment: Moment,
    },
    /// Bytes, or the end of the stream, arrive at an application.
    Arrival {
        /// The time of the clock, since the Unix epoch.
        at: Duration,
        /// The connection's name.
        connection: String,
        /// The application.
        end: End,
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether the application sees the end.
        ended: bool,
    },
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The client connects.
    Connect {
        /// The connection's name.
        connection: String,
    },
    /// An application acts: the bytes that it writes, and how it leaves the connection.
    Act {
        /// The connection's name.
        connection: String,
        /// The application.
        end: End,
        /// The bytes.
        bytes: Vec<u8>,
        /// It ends its half.
        ends: bool,
        /// It closes the socket.
        closes: bool,
        /// It resets the connection.
        resets: bool,
    },
    /// Time passes.
    Advance(Duration),
    /// The listener of this sidecar is updated.
    Update(Side),
    /// The drain time of this sidecar is over.
    Drain(Side),
}

impl Timeline {
    /// The time since the start.
    pub(super) fn since_start(&self, at: Duration) -> Duration {
        at.saturating_sub(self.start)
    }
}
