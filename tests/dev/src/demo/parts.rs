//! The parts that both topologies need: Envoy and the filter.

use std::fs;
use std::path::{Path, PathBuf};

use super::options::Options;
use mesh::EnvoyBinary;
use mesh::error::{Context, Result};
use mesh::progress::step;
use mesh::{wasm, workspace};

/// Finds the Envoy of the options.
pub(super) fn find_envoy(options: &Options) -> Result<EnvoyBinary> {
    let binary = EnvoyBinary::find(options.envoy_version.as_deref())?;
    step("Envoy", &format!("{} ({})", binary.version, binary.origin));
    Ok(binary)
}

/// Builds the .wasm and returns its path and its size in bytes.
pub(super) fn build_filter() -> Result<(PathBuf, u64)> {
    step("filter", "building it with `cargo wasm`");
    let wasm = wasm::build()?;
    let metadata = fs::metadata(&wasm).context(|| format!("cannot read {}", wasm.display()))?;
    let bytes = metadata.len();
    step(
        "",
        &format!("{}, {} KiB", relative(&wasm), bytes.div_ceil(1024)),
    );
    Ok((wasm, bytes))
}

/// A path relative to the root of the repository.
pub(super) fn relative(path: &Path) -> String {
    path.strip_prefix(workspace::root())
        .unwrap_or(path)
        .display()
        .to_string()
}
