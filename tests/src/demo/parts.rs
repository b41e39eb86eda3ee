//! What every cast needs: something that carries the traffic, and the filter.

use std::fs;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::progress::step;
use crate::error::{Context, Result};
use crate::tools::{EnvoyBinary, Host};
use crate::{wasm, workspace};

/// What carries the traffic.
pub(super) fn find_host(options: &Options) -> Result<EnvoyBinary> {
    let (name, binary) = match options.host {
        Host::Envoy => (
            "Envoy",
            EnvoyBinary::find(options.envoy_version.as_deref())?,
        ),
        Host::Harness => {
            step("harness", "building it; the first time takes minutes");
            ("", EnvoyBinary::harness()?)
        }
    };
    step(name, &format!("{} ({})", binary.version, binary.origin));
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
