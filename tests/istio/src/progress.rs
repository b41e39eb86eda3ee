//! Progress messages on the standard error. The standard output has only the result.

use std::io::{self, Write};
use std::time::Instant;

/// Writes a line. Ignores a closed standard error.
pub fn say(line: &str) {
    let _unread = writeln!(io::stderr(), "{line}");
}

/// Writes a line about a part.
pub fn step(part: &str, what: &str) {
    say(&format!("{part:>14}  {what}"));
}

/// The clock of a run: writes lines with the seconds since its start.
#[derive(Clone, Copy, Debug)]
pub struct Stages {
    start: Instant,
}

impl Stages {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Writes that a stage is done.
    pub fn done(&self, what: &str) {
        say(&format!(
            "{:>12.1} s  {what}",
            self.start.elapsed().as_secs_f64()
        ));
    }

    /// The seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}
