//! Shrinks a failing scenario. The candidates of one round share an Envoy.

use crate::error::Result;
use crate::run::{Finding, Hosts};
use crate::scenario::{Act, Scenario, Step};

/// Returns the smallest scenario that is reached by removal of parts and still differs.
///
/// # Errors
/// A host does not work at all.
pub fn shrink(hosts: &Hosts, mut finding: Finding) -> Result<Finding> {
    loop {
        let candidates = smaller(&finding.scenario);
        let mut found = None;
        hosts.compare(&candidates, |_, smaller| {
            if found.is_none() {
                found = smaller;
            }
        })?;
        match found {
            Some(smaller) => finding = smaller,
            None => return Ok(finding),
        }
    }
}

/// Returns every scenario with one part removed, the largest parts first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let steps = without_one(&scenario.steps)
        .into_iter()
        .map(|steps| Scenario {
            steps,
            ..scenario.clone()
        });
    let shorter = (0..scenario.steps.len()).filter_map(|at| shorter(scenario, at));
    let lines: Vec<_> = scenario.script.lines().map(str::to_owned).collect();
    let fewer_lines = without_one(&lines);
    let fewer_actions = lines.iter().enumerate().flat_map(|(at, line)| {
        let replace = move |line: String, lines: &[String]| {
            let mut lines = lines.to_vec();
            if let Some(slot) = lines.get_mut(at) {
                *slot = line;
            }
            lines
        };
        let lines = &lines;
        without_action(line)
            .into_iter()
            .map(move |line| replace(line, lines))
    });
    let scripts = fewer_lines
        .into_iter()
        .chain(fewer_actions)
        .map(|lines| Scenario {
            script: lines.join("\n"),
            ..scenario.clone()
        });
    scripts.chain(steps).chain(shorter).collect()
}

fn without_one<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let without = |at| {
        let kept = items.iter().enumerate().filter(|(index, _)| *index != at);
        kept.map(|(_, item)| item.clone()).collect()
    };
    (0..items.len()).map(without).collect()
}

fn without_action(line: &str) -> Vec<String> {
    let Some((callback, actions)) = line.split_once(": ") else {
        return Vec::new();
    };
    let actions: Vec<_> = actions.split("; ").collect();
    if actions.len() < 2 {
        return Vec::new();
    }
    without_one(&actions)
        .into_iter()
        .map(|actions| format!("{callback}: {}", actions.join("; ")))
        .collect()
}

/// Returns the scenario with a shorter write in the step at `at`.
fn shorter(scenario: &Scenario, at: usize) -> Option<Scenario> {
    let mut scenario = scenario.clone();
    let (Step::Client(act) | Step::Server(act)) = scenario.steps.get_mut(at)? else {
        return None;
    };
    let (Act::Write(bytes) | Act::WriteAndEnd(bytes)) = act else {
        return None;
    };
    if bytes.len() < 2 {
        return None;
    }
    *bytes = b"x".to_vec();
    Some(scenario)
}
