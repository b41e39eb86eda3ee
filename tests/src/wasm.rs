//! The filter as Envoy loads it.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::error::{Context, Error, Result};
use crate::process::{die_with_parent, last_lines};
use crate::workspace;

const ARTEFACT: &str = "tcp_peer_stats.wasm";

/// Builds the filter with `cargo wasm` and returns the path of the .wasm.
///
/// # Errors
/// The WebAssembly target is not installed or the filter does not compile.
pub fn build() -> Result<PathBuf> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args([
            "wasm",
            "--quiet",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(workspace::root())
        .stdin(Stdio::null());
    die_with_parent(&mut command, Signal::KILL);
    let output = command.output().context(|| "cannot start cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(if errors.contains("target may not be installed") {
            Error::NoWasmTarget
        } else {
            Error::WasmBuild {
                output: last_lines(&errors),
            }
        });
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| artefact(&message))
        .ok_or_else(|| Error::WasmBuild {
            output: format!("it succeeded without making {ARTEFACT}"),
        })
}

fn artefact(message: &Value) -> Option<PathBuf> {
    let files = message.get("filenames")?.as_array()?;
    files
        .iter()
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .find(|file| file.ends_with(ARTEFACT))
}
