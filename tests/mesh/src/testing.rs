//! Definitions that the tests of several crates share.

use std::time::Duration;

/// The result of a test, or of a function that a test calls: any error fails the test.
pub type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The time limit of a wait for a connection's bytes or for the next report. On a busy machine each
/// may take seconds.
pub const LIMIT: Duration = Duration::from_secs(30);
