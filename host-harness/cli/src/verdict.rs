//! The verdict on a filter in a scenario.

use std::process::ExitCode;

use host_harness::scenario::{Failure, Scenario};
use host_harness::{FilterFailure, StartError};

use crate::exit;

/// The verdict.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Passed,
    /// An expectation is not met, or the filter failed.
    Failed(Reason),
    /// The scenario could not be played.
    NotPlayed(Reason),
}

/// The reason why a scenario did not pass.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    pub(crate) text: String,
    /// The failure of the filter, if it is the reason.
    pub(crate) failure: Option<Box<FilterFailure>>,
}

impl Verdict {
    pub(crate) fn failed(text: impl ToString) -> Self {
        Self::Failed(Reason::new(text))
    }

    pub(crate) fn not_played(text: impl ToString) -> Self {
        Self::NotPlayed(Reason::new(text))
    }

    /// The verdict by what was played.
    pub(crate) fn of(played: Result<(), Failure>) -> Self {
        let Err(failure) = played else {
            return Self::Passed;
        };
        let reason = Reason {
            text: failure.to_string(),
            failure: failure.of_filter().cloned().map(Box::new),
        };
        match failure.is_verdict() {
            true => Self::Failed(reason),
            false => Self::NotPlayed(reason),
        }
    }

    /// The verdict on a filter that does not start in the emulator.
    pub(crate) fn of_start(scenario: &Scenario, error: &StartError) -> Self {
        if !error.is_of_filter() {
            return Self::not_played(error);
        }
        match Self::of(scenario.judge_start(&error.to_string())) {
            Self::Failed(reason) => Self::Failed(Reason {
                failure: error.failure().cloned().map(Box::new),
                ..reason
            }),
            verdict => verdict,
        }
    }

    pub(crate) fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::NotPlayed(reason) => Some(reason),
        }
    }
}

impl Reason {
    fn new(text: impl ToString) -> Self {
        Self {
            text: text.to_string(),
            failure: None,
        }
    }
}

/// The numbers of verdicts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_played: usize,
}

impl Counts {
    pub(crate) fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut counts = Self::default();
        verdicts.into_iter().for_each(|verdict| counts.add(verdict));
        counts
    }

    pub(crate) fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::NotPlayed(_) => self.not_played += 1,
        }
    }

    /// What could not be played is worse than what failed: it says nothing about the filter.
    pub(crate) fn exit_code(self) -> ExitCode {
        match (self.failed, self.not_played) {
            (0, 0) => ExitCode::SUCCESS,
            (_, 0) => ExitCode::FAILURE,
            _ => ExitCode::from(exit::ERROR),
        }
    }
}
