//! The values of one quantity, by round and contestant.

use serde::Serialize;

use super::contestant::Contestant;
use super::statistics::Spread;

/// A measured quantity.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// The name.
    pub name: String,
    /// The unit.
    pub unit: &'static str,
    /// The highest allowed ratios of the filter to no filter and to the empty filter; `None`
    /// without a limit.
    pub targets: [Option<f64>; 2],
    /// The values by round, in the order of [`Contestant::ALL`].
    pub rounds: Vec<[f64; 3]>,
}

/// The ratio of two contestants.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ratio {
    /// The dividend.
    pub of: Contestant,
    /// The divisor.
    pub to: Contestant,
    /// The ratios of all rounds.
    pub spread: Spread,
    /// The highest allowed median; `None` without a limit.
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

    /// The spread of a contestant's values.
    #[must_use]
    pub fn spread(&self, contestant: Contestant) -> Spread {
        let values: Vec<_> = self
            .rounds
            .iter()
            .map(|round| at(round, contestant))
            .collect();
        Spread::of(&values)
    }

    /// The ratio of the values of two contestants in each round.
    #[must_use]
    pub fn paired(&self, of: Contestant, to: Contestant) -> Vec<f64> {
        let ratio = |round: &[f64; 3]| at(round, of) / at(round, to);
        self.rounds.iter().map(ratio).collect()
    }

    /// The ratios of the empty filter to none, of this filter to none and of this filter to the
    /// empty one.
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
    /// Whether the median is within the target; `None` without a target.
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
