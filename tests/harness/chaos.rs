//! Host calls of the filter that fail: what must hold for every filter (`host_harness::chaos`), and what must hold for counts.
//!
//! A bounded share of `cargo harness chaos --package tcp-peer-stats tests/scenarios/cases`.

use std::collections::BTreeMap;
use std::path::Path;

use host_harness::chaos::{Case, Chaos};
use host_harness::scenario::{Emulated, Scenario, Side, Stage};
use host_harness::{Answer, Calls, Fault, Series, Status};
use mesh::labels::{CLOSED, OPENED, RECEIVED, SENT};

use crate::sidecars::module;

/// Of the cases of a scenario, every so many-th: a prime, so that all calls and statuses have their turn.
const STRIDE: usize = 23;

/// What a case left behind, by sidecar.
#[derive(Debug, Default)]
struct Ledger {
    series: BTreeMap<Side, Vec<Series>>,
    /// What a counter must never do.
    violations: Vec<String>,
}

impl Ledger {
    fn look(&mut self, stage: &mut Emulated) {
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

    /// A connection was closed for it, and a counter says so.
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

/// Plays a case; what came of the counts, unless the filter refused to start.
fn play(chaos: &Chaos, case: &Case) -> Option<Ledger> {
    let mut ledger = Ledger::default();
    let outcome = chaos.watch(case, |stage| ledger.look(stage)).unwrap();
    assert_eq!(outcome.violations, [], "{case}");
    // What a host did not do although it says so is lost, and nobody can know.
    if !matches!(case.fault.answer, Answer::Untouched) {
        assert_eq!(ledger.violations, [""; 0], "{case}");
    }
    (!outcome.refused).then_some(ledger)
}

/// A host that refuses once is told everything in the end. One that refuses for good is not, nor one that lies or denies what
/// there is.
fn is_refusal(fault: &Fault) -> bool {
    match (&fault.calls, &fault.answer) {
        (Calls::Nth(_), Answer::Status(number)) => Status::from(*number) != Status::NotFound,
        _ => false,
    }
}

fn disturb(name: &str) {
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
        let Some(ledger) = play(&chaos, &case) else {
            continue;
        };
        played += 1;
        if !is_refusal(&case.fault) {
            continue;
        }
        assert_eq!(ledger.sums(OPENED), ledger.sums(CLOSED), "{case}");
        assert_eq!(ledger.sums(OPENED), undisturbed.sums(OPENED), "{case}");
        for bytes in [RECEIVED, SENT] {
            let exact = ledger.sums(bytes) == undisturbed.sums(bytes);
            assert!(exact || ledger.has_host_failure(), "{case}: {bytes}");
        }
    }
    assert!(played > 40, "{name}: {played} cases");
}

#[test]
fn a_client_that_speaks_first() {
    disturb("client-first");
}

#[test]
fn a_server_that_speaks_first() {
    disturb("server-first");
}

#[test]
fn a_frame_in_pieces() {
    disturb("frame-in-sevens");
}

#[test]
fn several_connections() {
    disturb("connections-interleaved");
}
