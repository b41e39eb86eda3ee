//! The clock of a run.

use std::time::Instant;

use mesh::progress::say;

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
