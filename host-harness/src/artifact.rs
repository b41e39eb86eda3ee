//! Builds of the .wasm under test.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use wasm_target::{MissingTarget, TARGET};

/// The reason why there is no artefact.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Cargo cannot be started.
    #[error("cannot run {cargo}: {source}")]
    Cargo {
        /// The program.
        cargo: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The Rust target is not installed.
    #[error(transparent)]
    Target(#[from] MissingTarget),
    /// The build failed.
    #[error("cargo cannot build {package} for wasm32-unknown-unknown:\n{output}")]
    Failed {
        /// The package.
        package: String,
        /// The output of cargo and rustc.
        output: String,
    },
    /// The build succeeded but made no .wasm.
    #[error("cargo made no .wasm of {0}")]
    NoArtifact(String),
}

static BUILT: LazyLock<Mutex<HashMap<(String, String), PathBuf>>> = LazyLock::new(Mutex::default);

/// Builds a package of the current workspace for wasm32-unknown-unknown, once per process, and
/// returns the path of its .wasm.
///
/// # Errors
/// See [`BuildError`].
pub fn build(package: &str, profile: &str) -> Result<PathBuf, BuildError> {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (package.to_owned(), profile.to_owned());
    if let Some(path) = built.get(&key) {
        return Ok(path.clone());
    }
    let path = run_cargo(package, profile)?;
    built.insert(key, path.clone());
    Ok(path)
}

fn run_cargo(package: &str, profile: &str) -> Result<PathBuf, BuildError> {
    wasm_target::ensure()?;
    let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = Command::new(&cargo)
        .args(["rustc", "--package", package, "--profile", profile])
        .args([
            // Without a crate type, cargo builds every one that the package has. It turns link-time
            // optimisation off if an rlib is among them.
            "--lib",
            "--crate-type",
            "cdylib",
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
        ])
        .output()
        .map_err(|source| BuildError::Cargo { cargo, source })?;
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BuildError::Failed {
            package: package.to_owned(),
            output,
        });
    }
    // The package itself is built last, after dependencies that may have artefacts too.
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    messages
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| wasm_file(&message))
        .ok_or_else(|| BuildError::NoArtifact(package.to_owned()))
}

fn wasm_file(message: &serde_json::Value) -> Option<PathBuf> {
    let files = message.get("filenames")?.as_array()?;
    files
        .iter()
        .filter_map(serde_json::Value::as_str)
        .find(|file| file.ends_with(".wasm"))
        .map(PathBuf::from)
}
