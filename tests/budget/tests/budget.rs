//! The filter stays within its budget.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use budget::{Figures, Filters, Verdict};

/// Connections that come and go: enough for a leak of seven bytes each to show as a page. The
/// command line takes more.
const CHURN: usize = 10_000;

// Shows: filter/docs/performance.md, "no host call and no allocation once the exchange is over"
#[test]
fn the_filter_stays_within_its_budget() {
    let measured = Figures::measure(&Filters::build().unwrap(), CHURN).unwrap();
    let budget = Figures::read(&budget::file()).unwrap();
    let verdict = Verdict::of(&measured, &budget);
    assert!(verdict.is_met(), "{verdict}");
    print!("{verdict}");
}

#[test]
fn the_budget_is_read_as_it_is_written() {
    let budget = Figures::read(&budget::file()).unwrap();
    assert_eq!(
        serde_saphyr::from_str::<Figures>(&budget.to_string()).unwrap(),
        budget
    );
}
