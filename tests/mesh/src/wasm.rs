//! Builds the .wasm of the filter, with and without symbols.

use std::path::PathBuf;

use crate::cargo;
use crate::error::Result;

const ARTEFACT: &str = "tcp_peer_stats.wasm";
const EMPTY: &str = "empty_filter.wasm";
const CALLS: &str = "calls_filter.wasm";

/// Builds the filter as `cargo wasm` does, and returns the path of the .wasm.
///
/// # Errors
/// The WebAssembly target is not installed or the filter does not compile.
pub fn build() -> Result<PathBuf> {
    compile("tcp-peer-stats", "wasm", ARTEFACT)
}

/// Builds the filter as `cargo wasm-symbols` does: the module of [`build`] with symbols and debug
/// information.
///
/// # Errors
/// See [`build`].
pub fn build_with_symbols() -> Result<PathBuf> {
    compile("tcp-peer-stats", "wasm-symbols", ARTEFACT)
}

/// Builds an empty filter on the same SDK and returns the path of the .wasm.
///
/// # Errors
/// See [`build`].
pub fn empty() -> Result<PathBuf> {
    compile("empty-filter", "wasm", EMPTY)
}

/// Builds the filter that repeats host calls and returns the path of the .wasm.
///
/// # Errors
/// See [`build`].
pub fn calls() -> Result<PathBuf> {
    compile("calls-filter", "wasm", CALLS)
}

/// Not with the aliases of cargo, which start cargo twice to check the target: every test program
/// comes here.
fn compile(package: &str, profile: &str, file_name: &str) -> Result<PathBuf> {
    let package = ["rustc", "--package", package, "--profile", profile];
    // Without a crate type, cargo builds the rlib too, and then turns link-time optimisation off.
    let target = ["--target", wasm_target::TARGET, "--crate-type", "cdylib"];
    cargo::build(&[&package[..], &target].concat(), |file| {
        file.ends_with(file_name)
    })
}
