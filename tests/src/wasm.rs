//! The filter as Envoy loads it.

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
