//! The figures in what a campaign says.

use std::fmt::{self, Display, Formatter};
use std::iter::Sum;

/// What a campaign came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that were played.
    pub cases: u64,
    /// What was done to them that should not happen.
    pub faults: u64,
    /// Cases that broke a law: bytes or connections lost, counts that are wrong, crashes.
    pub losses: u64,
}

/// As campaigns of our own say it.
impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            cases,
            faults,
            losses,
        } = self;
        write!(
            f,
            "{cases} cases, {faults} faults injected, {losses} losses"
        )
    }
}

impl Tally {
    /// Of cases that broke no law: a test has asserted that before it says so.
    #[must_use]
    pub fn clean(cases: u64, faults: u64) -> Self {
        Self {
            cases,
            faults,
            losses: 0,
        }
    }

    /// The figures of a line, if it has any: those of a campaign of our own, of libFuzzer, to whom every input is a case and a
    /// fault, or of `cargo test`, where a failed test is a loss.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        if line.contains("SUMMARY: libFuzzer") {
            return Some(Self {
                losses: 1,
                ..Self::default()
            });
        }
        if let Some(("Done", runs)) = line.split_once(' ') {
            let cases = runs.split_once(" runs in ")?.0.parse().ok()?;
            return Some(Self {
                cases,
                faults: cases,
                losses: 0,
            });
        }
        if let Some((_, results)) = line.split_once("test result: ") {
            let passed = number(results, " passed")?;
            return (passed > 0 || number(results, " failed")? > 0).then_some(Self {
                losses: number(results, " failed")?,
                ..Self::default()
            });
        }
        Some(Self {
            cases: number(line, " cases")?,
            faults: number(line, " faults injected")?,
            losses: number(line, " losses")?,
        })
    }
}

/// The number in front of these words.
fn number(line: &str, words: &str) -> Option<u64> {
    let (before, _) = line.split_once(words)?;
    before.rsplit(' ').next()?.parse().ok()
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, tally| Self {
            cases: sum.cases + tally.cases,
            faults: sum.faults + tally.faults,
            losses: sum.losses + tally.losses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(cases: u64, faults: u64, losses: u64) -> Option<Tally> {
        Some(Tally {
            cases,
            faults,
            losses,
        })
    }

    #[test]
    fn what_we_say_is_read() {
        let said = "chaos: 2 scenarios, 47 cases, 57 faults injected, 0 refused to start, 1 losses";
        assert_eq!(Tally::of(said), tally(47, 57, 1));
        let own = tally(3, 2, 1).unwrap();
        assert_eq!(
            Tally::of(&format!("test a::b ... a: {own}")),
            tally(3, 2, 1)
        );
    }

    #[test]
    fn what_others_say_is_read() {
        let fuzzed = "Done 4929149 runs in 1861 second(s)";
        assert_eq!(Tally::of(fuzzed), tally(4_929_149, 4_929_149, 0));
        assert_eq!(
            Tally::of("SUMMARY: libFuzzer: deadly signal"),
            tally(0, 0, 1)
        );
        let tested =
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 46 filtered out";
        assert_eq!(Tally::of(tested), tally(0, 0, 2));
    }

    #[test]
    fn what_has_no_figures_is_not() {
        for line in [
            "",
            "running 5 tests",
            "Done",
            "ok      a.yaml: 1442 cases, 0 losses",
            "test result: ok. 0 passed; 0 failed; 0 ignored",
        ] {
            assert_eq!(Tally::of(line), None, "{line}");
        }
    }
}
