//! Failing host calls: the invariants of every filter (`host_harness::chaos`), and those of this
//! filter's counts.
//!
//! A bounded share of `cargo harness chaos --package tcp-peer-stats tests/scenarios/cases`.

use std::collections::BTreeMap;
use std::path::Path;

use host_harness::chaos::{Case, Chaos};
use host_harness::scenario::{Emulated, Scenario, Side, Stage};
use host_harness::{Answer, Calls, Fault, Series, Status};
use mesh::labels::{CLOSED, OPENED, RECEIVED, SENT};

use crate::sidecars::module;

/// Every n-th case of a scenario is played: a prime, so that all calls and statuses are among them.
const STRIDE: usize = 23;

/// The metrics of a case, by sidecar.
#[derive(Debug, Default)]
struct ObservedMetrics {
    series: BTreeMap<Side, Vec<Series>>,
    /// Counters that decreased, and sidecars with more closed than opened connections.
    violations: Vec<String>,
}

impl ObservedMetrics {
    fn observe(&mut self, stage: &mut Emulated) {
        let sides: Vec<_> = stage.sidecars().iter().map(|(side, _)| *side).collect();
        for side in sides {
            let now = stage.series(side).unwrap();
            if sum(&now, CLOSED) > sum(&now, OPENED) {
                self.violations
                    .push(format!("{side}: more closed than opened"));
            }
            let before = self.series.insert(side, now.clone()).unwrap_or_default();
            for old in before {
                let same = |new: &&Series| new.name == old.name && new.labels == old.labels;
                if now
                    .iter()
                    .find(same)
                    .is_none_or(|new| new.value < old.value)
                {
                    self.violations
                        .push(format!("{side}: {} went back", old.name));
                }
            }
        }
    }

    fn sums(&self, name: &str) -> Vec<u64> {
        self.series
            .values()
            .map(|series| sum(series, name))
            .collect()
    }

    /// Whether a connection was closed for a host failure, which is counted.
    fn has_host_failure(&self) -> bool {
        let failure =
            |series: &Series| series.label("result") == Some("host_failure") && series.value > 0;
        self.series.values().flatten().any(failure)
    }
}

fn sum(series: &[Series], name: &str) -> u64 {
    let named = series.iter().filter(|series| series.name == name);
    named.map(|series| series.value).sum()
}

/// Plays a case. Returns its metrics, or `None` if the filter did not start.
fn play(chaos: &Chaos, case: &Case) -> Option<ObservedMetrics> {
    let mut metrics = ObservedMetrics::default();
    let outcome = chaos.watch(case, |stage| metrics.observe(stage)).unwrap();
    assert_eq!(outcome.violations, [], "{case}");
    // The filter cannot detect that a successful call had no effect, so counts are lost.
    if !matches!(case.fault.answer, Answer::Untouched) {
        assert_eq!(metrics.violations, [""; 0], "{case}");
    }
    (!outcome.refused).then_some(metrics)
}

/// Whether one call fails with an error: then all counts arrive later. They do not if all calls
/// fail, if the answer is false, or if existing data is `NotFound`.
fn is_single_error(fault: &Fault) -> bool {
    match (&fault.calls, &fault.answer) {
        (Calls::Nth(_), Answer::Status(number)) => Status::from(*number) != Status::NotFound,
        _ => false,
    }
}

fn counts_survive_failing_host_calls(name: &str) {
    let file = format!("scenarios/cases/{name}.yaml");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let chaos = Chaos::new(&Scenario::read(&file).unwrap(), &module()).unwrap();
    let nothing = Case {
        side: Side::Inbound,
        fault: Fault {
            calls: Calls::Nth(0),
            answer: Answer::Status(1),
        },
    };
    let undisturbed = play(&chaos, &nothing).unwrap();
    let mut played = 0;
    for case in chaos.cases().step_by(STRIDE) {
        let Some(metrics) = play(&chaos, &case) else {
            continue;
        };
        played += 1;
        if !is_single_error(&case.fault) {
            continue;
        }
        assert_eq!(metrics.sums(OPENED), metrics.sums(CLOSED), "{case}");
        assert_eq!(metrics.sums(OPENED), undisturbed.sums(OPENED), "{case}");
        for bytes in [RECEIVED, SENT] {
            let exact = metrics.sums(bytes) == undisturbed.sums(bytes);
            assert!(exact || metrics.has_host_failure(), "{case}: {bytes}");
        }
    }
    assert!(played > 40, "{name}: {played} cases");
}

#[test]
fn a_client_that_sends_first() {
    counts_survive_failing_host_calls("client-first");
}

#[test]
fn a_server_that_sends_first() {
    counts_survive_failing_host_calls("server-first");
}

#[test]
fn a_frame_in_pieces() {
    counts_survive_failing_host_calls("frame-in-sevens");
}

#[test]
fn several_connections() {
    counts_survive_failing_host_calls("connections-interleaved");
}
