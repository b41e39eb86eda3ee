//! Builds the .wasm of the filter, with and without symbols.

use std::path::PathBuf;

use crate::cargo;
use crate::error::Result;

const ARTEFACT: &str = "tcp_peer_stats.wasm";
const EMPTY: &str = "empty_filter.wasm";

/// Builds the filter with `cargo wasm` and returns the path of the .wasm.
///
/// # Errors
/// The WebAssembly target is not installed or the filter does not compile.
pub fn build() -> Result<PathBuf> {
    cargo::build(&["wasm"], |file| file.ends_with(ARTEFACT))
}

/// Builds the filter with `cargo wasm-symbols`: the module of [`build`] with symbols and debug
/// information.
///
/// # Errors
/// See [`build`].
pub fn build_with_symbols() -> Result<PathBuf> {
    cargo::build(&["wasm-symbols"], |file| file.ends_with(ARTEFACT))
}

/// Builds an empty filter on the same SDK and returns the path of the .wasm.
///
/// # Errors
/// See [`build`].
pub fn empty() -> Result<PathBuf> {
    let package = ["build", "--package", "empty-filter", "--profile", "wasm"];
    let target = ["--target", "wasm32-unknown-unknown"];
    cargo::build(&[&package[..], &target].concat(), |file| {
        file.ends_with(EMPTY)
    })
}
