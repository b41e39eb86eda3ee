//! Many random cases.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use host_harness::{native, native_filter};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestError, TestRunner};
use tcp_peer_stats as _;

use crate::case::{Case, Connection};
use crate::generate::case;
use crate::play::play;

/// Cases in one thread, which is one VM. Contexts are not deleted before it ends.
const BATCH: u32 = 500;

/// A case that failed.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, behind case {after}: {problem}")]
pub struct Finding {
    /// The seed of the campaign.
    pub seed: u64,
    /// The number of cases before it.
    pub after: u32,
    /// The failure.
    pub problem: Problem,
}

/// The failure of a case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the variants say what the fields are")]
pub enum Problem {
    /// A disagreement, and the smallest case that shows it.
    #[error("{reason}\n{case:#?}")]
    Disagreement { reason: String, case: Box<Case> },
    /// The filter panicked; the case is not reduced.
    #[error("{reason}\n{case:#?}")]
    Panic {
        reason: native::NativeFailure,
        case: Option<Box<Case>>,
    },
    /// proptest gave up.
    #[error("{0}")]
    Aborted(String),
}

/// Plays one case in a VM of its own.
///
/// # Errors
/// The failure.
pub fn play_alone(case: &Case) -> Result<(), Problem> {
    let alone = Box::new(case.clone());
    let played = native::run(move || play(&alone, &native_filter!()));
    match played {
        Ok(Ok(())) => Ok(()),
        Ok(Err(disagreement)) => Err(Problem::Disagreement {
            reason: disagreement.to_string(),
            case: Box::new(case.clone()),
        }),
        Err(reason) => Err(Problem::Panic {
            reason,
            case: Some(Box::new(case.clone())),
        }),
    }
}

/// The cases of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of cases.
    pub cases: u32,
    /// The number of their connections.
    pub connections: usize,
    /// The sum of their [`faults`](crate::Connection::faults).
    pub faults: usize,
}

impl Tally {
    fn add(&mut self, case: &Case) {
        self.cases += 1;
        self.connections += case.connections.len();
        self.faults += case
            .connections
            .iter()
            .map(Connection::faults)
            .sum::<usize>();
    }
}

/// Plays random cases, which depend on the seed alone. Calls `played` with the number of cases
/// after every batch.
///
/// # Errors
/// The first failure, with the smallest case that shows it.
pub fn play_random(cases: u32, seed: u64, mut played: impl FnMut(u32)) -> Result<Tally, Finding> {
    let mut total = Tally::default();
    for batch in 0.. {
        let count = BATCH.min(cases - total.cases);
        if count == 0 {
            break;
        }
        // Seeds next to each other must not share batches.
        let batch = play_batch(count, seed.wrapping_mul(1 << 32).wrapping_add(batch));
        let batch = batch.map_err(|problem| Finding {
            seed,
            after: total.cases,
            problem,
        })?;
        total.cases += batch.cases;
        total.connections += batch.connections;
        total.faults += batch.faults;
        played(total.cases);
    }
    Ok(total)
}

fn play_batch(cases: u32, seed: u64) -> Result<Tally, Problem> {
    let current = Arc::new(Mutex::new(None));
    let running = current.clone();
    let batch = move || {
        let module = native_filter!();
        let config = Config {
            cases,
            rng_algorithm: RngAlgorithm::XorShift,
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            max_shrink_iters: 20_000,
            ..Config::default()
        };
        let tally = Cell::new(Tally::default());
        let played = TestRunner::new(config).run(&case(), |case| {
            *running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(case.clone()));
            let mut sum = tally.get();
            sum.add(&case);
            tally.set(sum);
            play(&case, &module).map_err(|error| TestCaseError::fail(error.to_string()))
        });
        played.map(|()| tally.get())
    };
    match native::run(batch) {
        Ok(Ok(tally)) => Ok(tally),
        Ok(Err(TestError::Fail(reason, case))) => Err(Problem::Disagreement {
            reason: reason.to_string(),
            case: Box::new(case),
        }),
        Ok(Err(TestError::Abort(reason))) => Err(Problem::Aborted(reason.to_string())),
        Err(reason) => Err(Problem::Panic {
            reason,
            case: current
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        }),
    }
}
