//! Expectations of checks.

use std::fmt::Debug;

use crate::error::{Error, Result};

/// Fails with the value if it is not the expected one.
pub(super) fn equal<T: PartialEq + Debug>(what: &str, seen: T, expected: T) -> Result<()> {
    holds(seen == expected, || {
        format!("{what}: {seen:?}, not {expected:?}")
    })
}

/// Fails if the value is above the limit.
pub(super) fn at_most<T: PartialOrd + Debug>(what: &str, seen: T, limit: T) -> Result<()> {
    holds(seen <= limit, || {
        format!("{what}: {seen:?}, more than {limit:?}")
    })
}

/// Fails with the message if the condition does not hold.
pub(super) fn holds(condition: bool, message: impl FnOnce() -> String) -> Result<()> {
    if condition {
        Ok(())
    } else {
        Err(Error::Check(message()))
    }
}
