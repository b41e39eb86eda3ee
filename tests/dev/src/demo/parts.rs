//! What every cast needs: an Envoy, and the filter.

use std::fs;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::progress::step;
use mesh::EnvoyBinary;
use mesh::error::{Context, Result};
use mesh::{wasm, workspace};

/// The Envoy that carries the traffic.
pub(super) fn find_envoy(options: &Options) -> Result<EnvoyBinary> {
    let binary = EnvoyBinary::find(options.envoy_version.as_deref())?;
    step("Envoy", &format!("{} ({})", binary.version, binary.origin));
    Ok(binary)
}

/// The .wasm and its size.
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

/// A path as one sees it from the repository.
pub(super) fn relative(path: &Path) -> String {
    path.strip_prefix(workspace::root())
        .unwrap_or(path)
        .display()
        .to_string()
}
