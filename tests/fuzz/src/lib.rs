//! What holds for any input: the laws that the fuzz targets assert.
//!
//! Each function takes any bytes and panics if a law is broken. `targets/` feeds them from libFuzzer
//! (`cargo +nightly fuzz run --fuzz-dir tests/fuzz/targets <name>`), the test of this package from the corpus beside it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what panics breaks the law"
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

/// Asserts what holds for an input.
pub type Law = fn(&[u8]);

/// Every law, by the name of its target.
pub const LAWS: &[(&str, Law)] = &[
    ("frame", frame),
    ("metadata", metadata),
    ("configuration", configuration),
    ("properties", properties),
    #[cfg(feature = "harness")]
    ("connection", connection),
    #[cfg(feature = "harness")]
    ("scenario", scenario),
];
