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
///
/// A filter may learn from one connection what to put in front of the next. Disturbed, it may not have learned it: then what
/// stands in front is what it puts there on other connections, and nothing else.
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
        for end in [End::Client, End::Server] {
            let expected = expected(course, undisturbed, name, end);
            let received = &ends.of(end).received;
            let arrived =
                |expected: &Vec<u8>| received == expected || cut && expected.starts_with(received);
            if !expected.iter().any(arrived) {
                violations.push(Violation::Bytes {
                    connection: name.clone(),
                    end,
                    received: show(received),
                    expected: show(&before.of(end).received),
                });
            }
        }
    }
    violations
}

/// All that the application at this end of a connection may get: what it gets undisturbed, what was written, and that behind
/// what the filter puts in front. Only what it puts there undisturbed too may stand there, or other bytes in its place.
fn expected(course: &Course, undisturbed: &Course, name: &str, end: End) -> Vec<Vec<u8>> {
    let written = |ends: &Ends| ends.across(end).written.clone();
    let connection = course.connections.get(name);
    let written = connection.map(written).unwrap_or_default();
    let put = undisturbed.connections.iter().flat_map(|(name, ends)| {
        let before = ends.put_in_front(end);
        let disturbed = course.connections.get(name);
        let now = disturbed.and_then(|ends| ends.put_in_front(end));
        [before, before.and(now)]
    });
    let behind = put.flatten().map(|put| [put, &written].concat());
    let before = undisturbed.connections.get(name);
    let before = before.map(|ends| ends.of(end).received.clone());
    behind.chain(before).chain([written.clone()]).collect()
}

impl Ends {
    /// What the filter put in front of what the other application wrote, if anything.
    fn put_in_front(&self, end: End) -> Option<&[u8]> {
        let received = &self.of(end).received;
        let put = received.strip_suffix(self.across(end).written.as_slice())?;
        (!put.is_empty()).then_some(put)
    }

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

#[cfg(test)]
mod tests;
