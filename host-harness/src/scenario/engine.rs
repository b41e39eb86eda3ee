//! Playing the steps of a scenario.

use std::thread;
use std::time::{Duration, Instant};

use super::check::describe;
use super::expectation::Expectation;
use super::model::{Scenario, Step};
use super::roles::{End, Side};
use super::stage::{Stage, StageError};
use crate::failure::FilterFailure;

/// The pauses between checks in real time: the first, and the longest. A check scrapes Envoy, so
/// each further pause is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The reason why a scenario failed, with its step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// An expectation was not met.
    #[error("step {step}: {what}")]
    Unexpected {
        /// The step's number, from 1.
        step: usize,
        /// The condition that was not met.
        what: String,
    },
    /// A filter failed, and no expectation says that it does.
    #[error("step {step}: {}", describe(*.side, .failure))]
    Filter {
        /// The number of the step, from 1, after which it was noticed.
        step: usize,
        /// The sidecar.
        side: Side,
        /// The failure.
        failure: Box<FilterFailure>,
    },
    /// A filter did not start, and the scenario is not one that expects this.
    #[error("{0}")]
    NotStarted(String),
    /// The stage could not play the step.
    #[error("step {step}: {source}")]
    Stage {
        /// The step's number, from 1.
        step: usize,
        /// The stage's error.
        source: StageError,
    },
}

impl Failure {
    /// Returns whether the scenario was played, so that this is a statement about the filter.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Stage { .. })
    }

    /// Returns the failure of a filter, if that is the reason.
    pub fn of_filter(&self) -> Option<&FilterFailure> {
        match self {
            Self::Filter { failure, .. } => Some(failure),
            _ => None,
        }
    }
}

/// Plays a scenario.
///
/// # Errors
/// The first step that fails, or a filter that fails although no expectation has a `failure` for
/// it.
pub fn run(scenario: &Scenario, stage: &mut dyn Stage) -> Result<(), Failure> {
    run_noting(scenario, stage, &|_| ())
}

/// Plays a scenario and calls `note` with the number of each step before it.
pub(in crate::scenario) fn run_noting(
    scenario: &Scenario,
    stage: &mut dyn Stage,
    note: &dyn Fn(usize),
) -> Result<(), Failure> {
    for (step, number) in scenario.steps.iter().zip(1..) {
        note(number);
        let played = play_in(scenario, step, stage);
        // The failure of a filter explains all that goes wrong after it.
        check_filters(scenario, number, stage)?;
        let wrong = played.map_err(|source| Failure::Stage {
            step: number,
            source,
        })?;
        if let Some(what) = wrong {
            let what = what + &scenario.describe_orders(number);
            return Err(Failure::Unexpected { step: number, what });
        }
    }
    stage.settle();
    check_filters(scenario, scenario.steps.len(), stage)
}

impl Scenario {
    /// Judges a filter that did not start, by what its host tells: this passes only for a scenario
    /// whose one step is an `expect` with a `failure` that is in the text.
    ///
    /// # Errors
    /// [`Failure::NotStarted`]
    pub fn judge_start(&self, refusal: &str) -> Result<(), Failure> {
        match self.steps.as_slice() {
            [Step::Expect(_)] if self.expects(refusal) => Ok(()),
            _ => Err(Failure::NotStarted(refusal.to_owned())),
        }
    }
}

/// Plays one step. Returns the condition that was not met, if it is a failed expectation.
pub(crate) fn play(step: &Step, stage: &mut dyn Stage) -> Result<Option<String>, StageError> {
    match step {
        Step::Connect(connect) => stage.connect(connect)?,
        Step::Client(act) => stage.perform(End::Client, act)?,
        Step::Server(act) => stage.perform(End::Server, act)?,
        Step::AtOnce(at_once) => stage.at_once(at_once)?,
        Step::Advance(by) => stage.advance(*by),
        Step::Update(update) => stage.update(update)?,
        Step::Drain(side) => stage.drain(*side)?,
        Step::Expect(expectation) => return expectation.check(stage),
    }
    Ok(None)
}

/// Plays one step and waits for its expectation.
fn play_in(
    scenario: &Scenario,
    step: &Step,
    stage: &mut dyn Stage,
) -> Result<Option<String>, StageError> {
    match step {
        Step::Expect(expectation) => wait_for(scenario, expectation, stage),
        step => play(step, stage),
    }
}

fn wait_for(
    scenario: &Scenario,
    expectation: &Expectation,
    stage: &mut dyn Stage,
) -> Result<Option<String>, StageError> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let wrong = expectation.check(stage)?;
        if wrong.is_none()
            || started.elapsed() >= stage.patience()
            || unexpected(scenario, stage)?.is_some()
        {
            return Ok(wrong);
        }
        thread::sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 3 / 2);
    }
}

/// The first failure of a filter that no expectation names.
fn unexpected(
    scenario: &Scenario,
    stage: &mut dyn Stage,
) -> Result<Option<(Side, FilterFailure)>, StageError> {
    let mut failures = stage.failures()?.into_iter();
    Ok(failures.find(|(side, failure)| !scenario.expects(&describe(*side, failure))))
}

fn check_filters(scenario: &Scenario, step: usize, stage: &mut dyn Stage) -> Result<(), Failure> {
    match unexpected(scenario, stage) {
        Ok(None) => Ok(()),
        Ok(Some((side, failure))) => Err(Failure::Filter {
            step,
            side,
            failure: Box::new(failure),
        }),
        Err(source) => Err(Failure::Stage { step, source }),
    }
}
