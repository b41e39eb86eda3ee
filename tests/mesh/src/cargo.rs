//! Builds artefacts of this workspace with cargo.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::Signal;
use serde_json::Value;

use crate::error::{Context, Error, Result};
use crate::process::{die_with_parent, last_lines};
use crate::workspace;

/// The files that this process has built, by the arguments of cargo. Every test needs the filter,
/// and cargo's check that it is up to date takes longer than some tests.
static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// Builds a program of the workspace, in the profile of tests, and returns its path.
///
/// # Errors
/// The build failed.
pub fn command(name: &str) -> Result<PathBuf> {
    build(&["build", "--bin", name], |file| file.ends_with(name))
}

/// Runs a cargo build command, once per process, and returns its first file that satisfies
/// `wanted`.
pub(crate) fn build(arguments: &[&str], wanted: impl Fn(&PathBuf) -> bool) -> Result<PathBuf> {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = arguments.join(" ");
    if let Some(file) = built.get(&key) {
        return Ok(file.clone());
    }
    let file = run(arguments, wanted)?;
    built.insert(key, file.clone());
    Ok(file)
}

fn run(arguments: &[&str], wanted: impl Fn(&PathBuf) -> bool) -> Result<PathBuf> {
    wasm_target::ensure()?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .args(["--quiet", "--message-format=json-render-diagnostics"])
        .current_dir(workspace::root())
        .stdin(Stdio::null());
    die_with_parent(&mut command, Signal::KILL);
    let output = command.output().context(|| "cannot start cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let failed = |output| Error::Build {
        command: format!("cargo {}", arguments.join(" ")),
        output,
    };
    if !output.status.success() {
        return Err(failed(last_lines(&errors)));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| files(&message).find(&wanted))
        .ok_or_else(|| failed("it succeeded and built no matching file".into()))
}

fn files(message: &Value) -> impl Iterator<Item = PathBuf> {
    let files = message.get("filenames").and_then(Value::as_array);
    let files = files.into_iter().flatten().filter_map(Value::as_str);
    files.map(PathBuf::from)
}
