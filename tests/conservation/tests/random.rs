//! A bounded run of `cargo run -p conservation`.
#![allow(clippy::panic, reason = "a failed expectation of a test")]

use conservation::play_random;

#[test]
fn bytes_and_counts_are_those_of_the_reference() {
    if let Err(finding) = play_random(3_000, 1, |_| {}) {
        panic!("{finding}");
    }
}
