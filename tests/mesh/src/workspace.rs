//! The repository's folders.

use std::path::{Path, PathBuf};

/// The repository's root.
#[must_use]
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// The repository's `target/`, which has all files that the tests fetch or write.
#[must_use]
pub fn target() -> PathBuf {
    root().join("target")
}
