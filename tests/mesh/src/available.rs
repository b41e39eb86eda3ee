//! Components that a test can go without.

use crate::error::Result;

/// The component, or `None` where it is not installed: the test is then reported as skipped, and has nothing to do.
///
/// # Errors
/// It is installed, and something else went wrong.
pub fn available<T>(component: Result<T>) -> Result<Option<T>> {
    match component {
        Err(error) if error.is_not_installed() => {
            unmet::skip(error);
            Ok(None)
        }
        other => other.map(Some),
    }
}
