//! The filter as Envoy loads it, and the same with symbols.

use std::path::PathBuf;

use crate::cargo;
use crate::error::Result;

const ARTEFACT: &str = "tcp_peer_stats.wasm";

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
