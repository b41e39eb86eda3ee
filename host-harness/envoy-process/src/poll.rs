//! Waiting for something to become true.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

const INTERVAL: Duration = Duration::from_millis(20);

/// What one look found.
#[derive(Debug)]
pub enum Look<T> {
    /// It is there.
    Found(T),
    /// Not yet; this is what was there instead, for the message if it never comes.
    NotYet(String),
}

/// Looks again and again until `look` finds something.
///
/// # Errors
/// `look` failed, or nothing was found within `limit`; the message then tells what the last look saw.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Look<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
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
        thread::sleep(INTERVAL);
    }
}
