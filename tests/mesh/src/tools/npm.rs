//! Installs pinned packages into `target/tools/` with npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use envoy_process::folder;
use envoy_process::programs::on_path;

use crate::error::{Error, Result};
use crate::process;

const REMEDY: &str = "Install Node.js with npm (Debian: `apt install npm`) to run what needs it";

/// Returns the folder whose `node_modules` holds these packages, pinned as `name@version`. `name`
/// is the folder below `target/tools/`. It has the versions, so that a new pin is a new folder.
pub(super) fn install(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let npm = on_path("npm").ok_or(Error::NotInstalled {
        program: "npm",
        remedy: REMEDY,
    })?;
    folder::filled(name, |into| run_npm(&npm, packages, into))
}

/// Installs without running the scripts of packages.
fn run_npm(npm: &Path, packages: &[&str], into: &Path) -> Result<()> {
    let mut command = Command::new(npm);
    command
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(["--loglevel", "error", "--prefix"])
        .arg(into)
        .args(packages);
    process::run("npm install", command).map(drop)
}
