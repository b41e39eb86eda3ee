//! Invariants that hold for any input; the fuzz targets assert them.
//!
//! Each function takes any bytes and panics if an invariant does not hold. `targets/` calls them
//! with libFuzzer's inputs (`cargo +nightly fuzz run --fuzz-dir tests/fuzz/targets <name>`), the
//! test of this package with the stored corpus.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "an invariant that does not hold"
)]

mod configuration;
#[cfg(feature = "harness")]
mod connection;
mod exchange;
mod frame;
mod host;
mod metadata;
mod properties;
#[cfg(feature = "harness")]
mod readers;
mod source;
mod stats;

pub use configuration::configuration;
#[cfg(feature = "harness")]
pub use connection::connection;
pub use frame::frame;
pub use metadata::metadata;
pub use properties::properties;
#[cfg(feature = "harness")]
pub use readers::scenario;

/// Asserts an invariant for an input.
pub type Invariant = fn(&[u8]);

/// Every invariant, by the name of its target.
pub const INVARIANTS: &[(&str, Invariant)] = &[
    ("frame", frame),
    ("metadata", metadata),
    ("configuration", configuration),
    ("properties", properties),
    #[cfg(feature = "harness")]
    ("connection", connection),
    #[cfg(feature = "harness")]
    ("scenario", scenario),
];
