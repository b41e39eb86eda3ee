//! Which filter a command runs.

use std::path::{Path, PathBuf};

use host_harness::artifact;

/// The filter to run.
#[derive(clap::Args)]
pub(crate) struct Filter {
    /// The filter, a .wasm file.
    #[arg(long)]
    wasm: Option<PathBuf>,
    /// The filter, a package of this workspace that is built if no file is given.
    #[arg(long, default_value = "tcp-peer-stats")]
    package: String,
}

impl Filter {
    /// The file that `--wasm` names.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.wasm.as_deref()
    }

    /// The .wasm, built when it has to be.
    pub(crate) fn file(&self) -> Result<PathBuf, artifact::BuildError> {
        match &self.wasm {
            Some(file) => Ok(file.clone()),
            None => artifact::build(&self.package, "wasm"),
        }
    }
}
