//! One figure of all contestants, round by round.

use serde::Serialize;

use super::contestant::Contestant;
use super::statistics::Spread;

/// A figure.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// What it is.
    pub name: String,
    /// In what.
    pub unit: &'static str,
    /// What the filter is allowed to cost against no filter and against an empty one, where that is set.
    pub targets: [Option<f64>; 2],
    /// What was measured, by round, in the order of [`Contestant::ALL`].
    pub rounds: Vec<[f64; 3]>,
}

/// How two contestants compare.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    /// The one.
    pub of: Contestant,
    /// The other, by which it is divided.
    pub to: Contestant,
    /// The ratios of all rounds.
    pub spread: Spread,
    /// What it should be at most.
    pub target: Option<f64>,
}

impl Measure {
    pub(super) fn new(name: impl Into<String>, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            unit,
            targets: [None; 2],
            rounds: Vec::new(),
        }
    }

    pub(super) fn against_none(mut self, target: f64) -> Self {
        self.targets[0] = Some(target);
        self
    }

    pub(super) fn against_empty(mut self, target: f64) -> Self {
        self.targets[1] = Some(target);
        self
    }

    /// What a contestant's rounds came to.
    #[must_use]
    pub fn spread(&self, contestant: Contestant) -> Spread {
        let values: Vec<_> = self
            .rounds
            .iter()
            .map(|round| at(round, contestant))
            .collect();
        Spread::of(&values)
    }

    /// What was measured of one divided by what was measured of another, round by round.
    #[must_use]
    pub fn paired(&self, of: Contestant, to: Contestant) -> Vec<f64> {
        let ratio = |round: &[f64; 3]| at(round, of) / at(round, to);
        self.rounds.iter().map(ratio).collect()
    }

    /// The empty filter against none, this one against none and against the empty one.
    #[must_use]
    pub fn ratios(&self) -> [Ratio; 3] {
        let [none, empty] = self.targets;
        let ratio = |of, to, target| Ratio {
            of,
            to,
            spread: Spread::of(&self.paired(of, to)),
            target,
        };
        use Contestant::{EmptyFilter, Filter, NoFilter};
        [
            ratio(EmptyFilter, NoFilter, None),
            ratio(Filter, NoFilter, none),
            ratio(Filter, EmptyFilter, empty),
        ]
    }
}

impl Ratio {
    /// The median keeps to the target, if there is one.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        self.target.map(|target| self.spread.median <= target)
    }
}

fn at(round: &[f64; 3], contestant: Contestant) -> f64 {
    let [none, empty, filter] = *round;
    match contestant {
        Contestant::NoFilter => none,
        Contestant::EmptyFilter => empty,
        Contestant::Filter => filter,
    }
}
