//! The filter as Envoy loads it, and the same with symbols.

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

/// Builds the filter with `cargo wasm-symbols`: what [`build`] makes, with its symbols and debug information.
///
/// # Errors
/// As of [`build`].
pub fn build_with_symbols() -> Result<PathBuf> {
    cargo::build(&["wasm-symbols"], |file| file.ends_with(ARTEFACT))
}

/// Builds a filter on the same SDK that does nothing and returns the path of the .wasm.
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
