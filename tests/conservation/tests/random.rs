//! A bounded run of what `cargo run -p conservation` does at length.
#![allow(clippy::panic, reason = "a failed expectation of a test")]

use conservation::play_random;

#[test]
fn bytes_and_counts_are_what_the_reference_says() {
    if let Err(finding) = play_random(3_000, 1, |_| {}) {
        panic!("{finding}");
    }
}
