//! Go modules of exact versions: their files, and programs built from them into `target/tools/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use envoy_process::folder;
use envoy_process::programs::{installed, on_path};

use crate::error::{Error, Result};
use crate::process;

/// The output of `go mod download -json`, as far as it is used.
#[derive(Deserialize)]
struct Download {
    /// The folder with the module's files, in Go's module cache.
    #[serde(rename = "Dir")]
    dir: PathBuf,
}

/// Returns the folder with the files of a module, named as `path@version`. Go checks them against
/// its checksum database.
pub(super) fn files(module: &str) -> Result<PathBuf> {
    let mut command = go()?;
    command.args(["mod", "download", "-json", module]);
    let output = process::run("go mod download", command)?;
    let download: Download = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::malformed("the output of `go mod download`", error))?;
    Ok(download.dir)
}

/// Builds a program of a module into a folder of this name below `target/tools/`. The name has the
/// version.
pub(super) fn program(name: &str, package: &str, program: &str) -> Result<PathBuf> {
    let install = |into: &Path| {
        let mut command = go()?;
        command.args(["install", package]).env("GOBIN", into);
        process::run("go install", command).map(drop)
    };
    let dir = folder::filled(name, install)?;
    installed(&dir, program, package)
}

/// A command for Go, outside of any module of this machine.
fn go() -> Result<Command> {
    let go = on_path("go").ok_or(Error::NotInstalled {
        program: "go",
        remedy: "Install Go (Debian: `apt install golang`) to run what needs it",
    })?;
    let mut command = Command::new(go);
    command
        .env("GOFLAGS", "-mod=mod")
        .current_dir(std::env::temp_dir());
    Ok(command)
}
