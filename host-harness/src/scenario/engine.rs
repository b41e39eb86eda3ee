//! Playing the steps of a scenario.

use std::thread;
use std::time::{Duration, Instant};

use super::expectation::Expectation;
use super::model::{Scenario, Step};
use super::roles::End;
use super::stage::{Stage, StageError};

/// The pauses between checks in real time: the first, and the longest. A check scrapes Envoy, so
/// each further pause is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The reason why a scenario failed, with its step.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An expectation was not met.
    #[error("step {step}: {what}")]
    Unexpected {
        /// The step's number, from 1.
        step: usize,
        /// The condition that was not met.
        what: String,
    },
    /// The stage could not play the step.
    #[error("step {step}: {source}")]
    Stage {
        /// The step's number, from 1.
        step: usize,
        /// The stage's error.
        source: StageError,
    },
}

/// Plays a scenario.
///
/// # Errors
/// The first step that fails.
pub fn run(scenario: &Scenario, stage: &mut dyn Stage) -> Result<(), Failure> {
    for (step, number) in scenario.steps.iter().zip(1..) {
        let wrong = play(step, stage).map_err(|source| Failure::Stage {
            step: number,
            source,
        })?;
        if let Some(what) = wrong {
            let what = what + &scenario.describe_orders(number);
            return Err(Failure::Unexpected { step: number, what });
        }
    }
    Ok(())
}

/// Plays one step. Returns the condition that was not met, if it is a failed expectation.
pub(crate) fn play(step: &Step, stage: &mut dyn Stage) -> Result<Option<String>, StageError> {
    match step {
        Step::Connect(connect) => stage.connect(connect)?,
        Step::Client(act) => stage.perform(End::Client, act)?,
        Step::Server(act) => stage.perform(End::Server, act)?,
        Step::AtOnce(at_once) => stage.at_once(at_once)?,
        Step::Advance(by) => stage.advance(*by),
        Step::Expect(expectation) => return wait_for(expectation, stage),
    }
    Ok(None)
}

fn wait_for(
    expectation: &Expectation,
    stage: &mut dyn Stage,
) -> Result<Option<String>, StageError> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let wrong = expectation.check(stage)?;
        if wrong.is_none() || started.elapsed() >= stage.patience() {
            return Ok(wrong);
        }
        thread::sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 3 / 2);
    }
}
