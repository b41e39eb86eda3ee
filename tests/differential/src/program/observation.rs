//! The log lines of all filters, and the bytes of all applications.

use std::collections::BTreeSet;

use host_harness::scenario::{Act, End, Scenario, Stage, StageError, Step};

use crate::normal;
use crate::stage::connections;

/// The acts after which an application does not see its connection any more.
fn leaves(act: &Act) -> bool {
    act.close || act.reset
}

/// What is seen after the first steps: everything so far. `lines`: the log lines of each side.
pub(super) fn observe(
    steps: &[Step],
    lines: Vec<(&str, Vec<String>)>,
    stage: &mut dyn Stage,
) -> Result<Vec<String>, StageError> {
    let mut seen = Vec::new();
    for (side, lines) in lines {
        let lines = lines.iter().filter(|line| !is_from_a_clock(line));
        let lines = normal::lines(lines.map(String::as_str));
        seen.extend(
            lines
                .iter()
                .map(|line| format!("{side} {}", without_reason(line))),
        );
    }
    let acts = steps.iter().flat_map(Step::acts);
    let left: BTreeSet<_> = acts
        .filter(|(_, act)| leaves(act))
        .map(|(end, act)| (end == End::Client, act.connection.clone()))
        .collect();
    for connection in connections(steps) {
        for end in [End::Client, End::Server] {
            if left.contains(&(end == End::Client, connection.clone())) {
                continue;
            }
            let bytes = stage.received(&connection, end)?;
            let ended = match stage.ended(&connection, end)? {
                true => ", and the end",
                false => "",
            };
            let bytes = bytes.escape_ascii();
            seen.push(format!("{connection}: the {end} has \"{bytes}\"{ended}"));
        }
    }
    Ok(seen)
}

/// The observation that updates were refused.
pub(super) fn refused(updates: usize) -> String {
    format!("{updates} updates were refused")
}

/// The steps up to this one.
pub(super) fn up_to(scenario: &Scenario, at: usize) -> &[Step] {
    scenario.steps.get(..=at).unwrap_or_default()
}

/// Whether the effects of this step are observed: not if time is to pass before.
pub(super) fn is_observed(scenario: &Scenario, at: usize) -> bool {
    let following = at.checked_add(1).and_then(|next| scenario.steps.get(next));
    !matches!(following, Some(Step::Advance(_)))
}

/// The line without the reason of a failed TLS handshake, which depends on the system call that sees
/// the failure first.
fn without_reason(line: &str) -> &str {
    match line.find("TLS_error:") {
        Some(at) => line.get(..at).unwrap_or(line),
        None => line,
    }
}

/// Whether the line is the second module's tick, which real Envoys have at any time.
fn is_from_a_clock(line: &str) -> bool {
    line.ends_with(": tick")
}
