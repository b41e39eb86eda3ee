//! Waits for a condition.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// The first pause between two checks. A check can cost an Envoy and this process more than the
/// rest of a test, so each further pause is half as long again, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The result of one check of the condition.
#[derive(Debug)]
pub enum Look<T> {
    /// The condition holds.
    Found(T),
    /// The condition does not hold yet. The text is the state, for the message of a timeout.
    NotYet(String),
}

/// Calls `look` until it returns [`Look::Found`].
///
/// # Errors
/// `look` failed, or the condition did not hold within `limit`. The message has the last state.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Look<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let seen = match look()? {
            Look::Found(found) => return Ok(found),
            Look::NotYet(seen) => seen,
        };
        if Instant::now() >= deadline {
            let detail = if seen.is_empty() {
                seen
            } else {
                format!("; last seen: {seen}")
            };
            return Err(Error::TimedOut {
                what: what.to_owned(),
                limit,
                detail,
            });
        }
        thread::sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 3 / 2);
    }
}
