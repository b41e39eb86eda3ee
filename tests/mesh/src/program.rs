//! Builds programs of this workspace.

use std::path::PathBuf;

use crate::cargo;
use crate::error::Result;

/// Builds a program as its alias in `.cargo/config.toml` does, and returns its path.
///
/// # Errors
/// There is no such program or it does not compile.
pub fn build(name: &str) -> Result<PathBuf> {
    cargo::build(&["build", "--bin", name], |file| {
        file.file_name().is_some_and(|own| own == name)
    })
}
