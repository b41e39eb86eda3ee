//! Optional components of a test.

use crate::error::Result;

/// Returns the component. If it is not installed, reports the test as skipped and returns `None`.
///
/// # Errors
/// The component is installed and does not work.
pub fn available<T>(component: Result<T>) -> Result<Option<T>> {
    match component {
        Err(error) if error.is_not_installed() => {
            unmet::skip(error);
            Ok(None)
        }
        other => other.map(Some),
    }
}
