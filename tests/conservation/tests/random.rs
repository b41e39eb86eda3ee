//! A bounded run of `cargo run -p conservation`.
#![allow(clippy::panic, reason = "a failed expectation of a test")]

use conservation::play_random;

/// Half of the cases. The two halves are two tests, which run at the same time.
const CASES: u32 = 1_500;

fn bytes_and_counts_are_those_of_the_reference(seed: u64) {
    if let Err(finding) = play_random(CASES, seed, |_| {}) {
        panic!("{finding}");
    }
}

#[test]
fn bytes_and_counts_are_those_of_the_reference_with_one_seed() {
    bytes_and_counts_are_those_of_the_reference(1);
}

#[test]
fn bytes_and_counts_are_those_of_the_reference_with_another_seed() {
    bytes_and_counts_are_those_of_the_reference(2);
}
