//! The filter that a command runs.

use std::path::PathBuf;

use host_harness::artifact;

/// The filter: a file, or a package to build.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Filter {
    /// The filter, a .wasm file.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// The filter, a package of the cargo workspace in the current folder. It is built first.
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
}

impl Filter {
    /// The path of the .wasm file, built if a package is given.
    pub(crate) fn file(&self) -> Result<PathBuf, artifact::BuildError> {
        match (&self.wasm, &self.package) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(package)) => artifact::build(package, "wasm"),
            (None, None) => Ok(PathBuf::new()),
        }
    }
}
