//! The filter stays within its budget.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use budget::{Figures, Filters, Verdict};

/// The number of connections that open and close: a leak of seven bytes per connection fills a
/// page. `cargo budget --churn` sets a larger number.
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
fn a_written_budget_is_read_unchanged() {
    let budget = Figures::read(&budget::file()).unwrap();
    assert_eq!(
        serde_saphyr::from_str::<Figures>(&budget.to_string()).unwrap(),
        budget
    );
}
