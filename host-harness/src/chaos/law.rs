//! What must hold for every filter.

use super::course::{Course, Ends, Share};
use crate::host::{Answer, Fault};
use crate::scenario::{End, show};

/// A law that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The filter trapped, or burned all fuel.
    #[error("trap: {0}")]
    Trap(String),
    /// An application got other bytes than it should have.
    #[error("connection {connection:?}: the {end} received {received}, not {expected}")]
    Bytes {
        /// The connection's name in the scenario.
        connection: String,
        /// Which application.
        end: End,
        /// What arrived.
        received: String,
        /// What arrives undisturbed.
        expected: String,
    },
    /// Streams that are over have contexts.
    #[error("{0} contexts are left")]
    Contexts(usize),
}

const CLOSE: &str = "proxy_close_stream";

/// What holds whatever is disturbed, and undisturbed. A filter that holds bytes back because it was refused to close keeps
/// its context.
pub(super) fn of_every_course(course: &Course) -> impl Iterator<Item = Violation> + use<> {
    let held = course.count(CLOSE) > 0 && course.injected > 0;
    let left = (course.left > 0 && !held).then_some(Violation::Contexts(course.left));
    course
        .trap
        .clone()
        .map(Violation::Trap)
        .into_iter()
        .chain(left)
}

/// Bytes arrive as written or as they do undisturbed, unless the connection was closed for it. A host that lies, of what it
/// hands over or of a property that is there and it does not know, gets what it deserves.
pub(super) fn of_bytes(course: &Course, undisturbed: &Course, fault: &Fault) -> Vec<Violation> {
    if course.lied || !matches!(fault.answer, Answer::Status(_)) {
        return Vec::new();
    }
    let closed = course.count(CLOSE) > undisturbed.count(CLOSE);
    let mut violations = Vec::new();
    for (name, ends) in &course.connections {
        let Some(before) = undisturbed.connections.get(name) else {
            continue;
        };
        let cut = closed || ends.ended_before(before);
        violations.extend(
            [End::Client, End::Server]
                .into_iter()
                .filter(|end| !arrived(ends, before, *end, cut))
                .map(|end| Violation::Bytes {
                    connection: name.clone(),
                    end,
                    received: show(&ends.of(end).received),
                    expected: show(&before.of(end).received),
                }),
        );
    }
    violations
}

/// Whether an application got what it should have.
fn arrived(ends: &Ends, undisturbed: &Ends, end: End, cut: bool) -> bool {
    let received = &ends.of(end).received;
    let written = &ends.across(end).written;
    // Where the filter puts bytes of its own in front, they may be others.
    let before = &undisturbed.of(end).received;
    if before.len() > written.len() && before.ends_with(written) && received.ends_with(written) {
        return true;
    }
    [&undisturbed.of(end).received, written]
        .into_iter()
        .any(|expected| received == expected || cut && expected.starts_with(received))
}

impl Ends {
    fn of(&self, end: End) -> &Share {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    fn across(&self, end: End) -> &Share {
        match end {
            End::Client => &self.server,
            End::Server => &self.client,
        }
    }
}
