//! Compares measured values with the budget.

use std::fmt::{self, Display, Formatter};

use crate::cost::{Cost, total};
use crate::figures::Figures;

/// The percentage by which fuel and bytes may exceed the budget. It covers differences of the
/// allocator and of the length of a path only.
const TOLERANCE: u64 = 2;
/// The percentage below the budget from which the budget should be lowered.
const SLACK: u64 = 10;

/// The differences between the figures and the budget.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// The values over the budget.
    pub exceeded: Vec<Difference>,
    /// The values so far below the budget that it should be updated.
    pub lower: Vec<Difference>,
}

/// A value that differs from its budget.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The situation and the callback, or the name of a size.
    pub place: String,
    /// The unit of the value.
    pub unit: &'static str,
    /// The budget; `None` if there is none.
    pub old: Option<u64>,
    /// The measured value.
    pub new: u64,
}

impl Verdict {
    /// Compares measured values with a budget.
    #[must_use]
    pub fn of(measured: &Figures, budget: &Figures) -> Self {
        let mut verdict = Self::default();
        for (name, bytes) in &measured.bytes {
            verdict.compare(name, "bytes", *bytes, budget.bytes.get(name).copied());
        }
        for (situation, costs) in &measured.costs {
            let old = budget.costs.get(situation);
            for (callback, cost) in costs {
                let old = old.and_then(|costs| costs.get(callback));
                verdict.compare_cost(&format!("{situation}: {callback}"), cost, old);
            }
            if costs.len() > 1 {
                verdict.compare_cost(
                    &format!("{situation}: all callbacks"),
                    &total(costs),
                    old.map(total).as_ref(),
                );
            }
        }
        verdict
    }

    /// No value exceeds the budget.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.exceeded.is_empty()
    }

    fn compare_cost(&mut self, place: &str, new: &Cost, old: Option<&Cost>) {
        let mut compare = |unit, of: fn(&Cost) -> u64| {
            self.compare(place, unit, of(new), old.map(of));
        };
        compare("calls", |cost| cost.calls);
        compare("fuel", |cost| cost.fuel);
        compare("hostcalls", |cost| cost.hostcalls);
        compare("allocations", |cost| cost.allocations);
    }

    fn compare(&mut self, place: &str, unit: &'static str, new: u64, old: Option<u64>) {
        let tolerance = match unit {
            "fuel" | "bytes" => TOLERANCE,
            _ => 0,
        };
        let difference = || Difference {
            place: place.to_owned(),
            unit,
            old,
            new,
        };
        match old {
            Some(old) if new * 100 > old * (100 + tolerance) => self.exceeded.push(difference()),
            Some(old) if new * 100 < old * (100 - SLACK) => self.lower.push(difference()),
            Some(_) => {}
            None => self.exceeded.push(difference()),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (differences, what) in [
            (
                &self.exceeded,
                "over the budget; `cargo budget --update` accepts them",
            ),
            (
                &self.lower,
                "far below the budget; `cargo budget --update` lowers it",
            ),
        ] {
            if !differences.is_empty() {
                writeln!(f, "{} figures are {what}", differences.len())?;
            }
            for difference in differences {
                writeln!(f, "  {difference}")?;
            }
        }
        Ok(())
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            unit,
            old,
            new,
        } = self;
        match *old {
            None => write!(f, "{place}: {new} {unit}, not in the budget"),
            Some(0) => write!(f, "{place}: 0 → {new} {unit}"),
            Some(old) => {
                let percent = (*new as f64 / old as f64 - 1.0) * 100.0;
                write!(f, "{place}: {old} → {new} {unit} ({percent:+.1} %)")
            }
        }
    }
}

#[cfg(test)]
mod tests;
