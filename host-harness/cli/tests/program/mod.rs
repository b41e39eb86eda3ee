//! The command line as its users run it.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `harness` with these arguments in a folder.
pub(crate) fn harness(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}
