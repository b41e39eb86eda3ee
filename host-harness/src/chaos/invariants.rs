//! The invariants of a run.

use super::run::{ConnectionRecord, Run};
use crate::bytes::show;
use crate::failure::FilterFailure;
use crate::scenario::End;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The filter trapped, a callback hangs, or the filter made a call that is not supported.
    #[error("{0}")]
    Failed(FilterFailure),
    /// An application received wrong bytes.
    #[error("connection {connection:?}: the {end} received {received}, not {expected}")]
    Bytes {
        /// The connection's name in the scenario.
        connection: String,
        /// The application.
        end: End,
        /// The received bytes.
        received: String,
        /// The bytes without a fault.
        expected: String,
    },
    /// Contexts of closed streams remain.
    #[error("{0} contexts are left")]
    Contexts(usize),
}

const CLOSE: &str = "proxy_close_stream";

/// The invariants of every run: no trap, and no context remains. A filter whose request to close
/// was answered with a fault may hold back bytes, and so keeps its context.
pub(super) fn of_run(run: &Run) -> impl Iterator<Item = Violation> + use<> {
    let may_hold = run.count(CLOSE) > 0 && run.injected > 0;
    let remaining = run.remaining_contexts;
    let contexts = (remaining > 0 && !may_hold).then_some(Violation::Contexts(remaining));
    let failed = run.failure.clone().map(Violation::Failed);
    failed.into_iter().chain(contexts)
}

/// The invariant of a run with a fault: the received bytes are the written ones or those without a
/// fault; or the start of these, if the connection was closed early. See
/// [`Options::shared_state`](super::Options::shared_state).
pub(super) fn of_bytes(run: &Run, undisturbed: &Run, shared_state: bool) -> Vec<Violation> {
    let closed = run.count(CLOSE) > undisturbed.count(CLOSE);
    let mut violations = Vec::new();
    for (name, record) in &run.connections {
        let Some(before) = undisturbed.connections.get(name) else {
            continue;
        };
        let cut = closed || record.ended_before(before);
        for end in [End::Client, End::Server] {
            let mut allowed = vec![
                record.across(end).written.clone(),
                before.of(end).received.clone(),
            ];
            if shared_state {
                allowed.extend(with_shared_prefixes(run, undisturbed, name, end));
            }
            let received = &record.of(end).received;
            let is_allowed = allowed
                .iter()
                .any(|bytes| received == bytes || cut && bytes.starts_with(received));
            if !is_allowed {
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

/// The written bytes behind each prefix that the filter inserts on any connection without a fault,
/// and behind the prefix of this run on the same connection.
fn with_shared_prefixes(run: &Run, undisturbed: &Run, name: &str, end: End) -> Vec<Vec<u8>> {
    let written = run
        .connections
        .get(name)
        .map(|record| record.across(end).written.as_slice())
        .unwrap_or_default();
    let mut allowed = Vec::new();
    for (name, before) in &undisturbed.connections {
        let Some(prefix) = before.prefix(end) else {
            continue;
        };
        allowed.push([prefix, written].concat());
        let record = run.connections.get(name);
        if let Some(prefix) = record.and_then(|record| record.prefix(end)) {
            allowed.push([prefix, written].concat());
        }
    }
    allowed
}

impl ConnectionRecord {
    /// The bytes that the filter inserted in front of the bytes of the other application, if any.
    fn prefix(&self, end: End) -> Option<&[u8]> {
        let received = &self.of(end).received;
        let prefix = received.strip_suffix(self.across(end).written.as_slice())?;
        (!prefix.is_empty()).then_some(prefix)
    }
}

#[cfg(test)]
mod tests;
