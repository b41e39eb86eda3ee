//! The filter that a command runs.

use std::path::PathBuf;

use clap::ArgGroup;
use host_harness::artifact;

/// The filter: a file, or a package to build.
#[derive(clap::Args)]
#[command(group = ArgGroup::new("filter").args(["wasm", "package"]).required(true))]
#[group(skip)]
pub(crate) struct Filter {
    /// The filter, a .wasm file.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// The filter, a package of the cargo workspace in the current folder. It is built first.
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The cargo profile that builds the package.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "release",
        conflicts_with = "wasm"
    )]
    profile: String,
}

impl Filter {
    /// The path of the .wasm file, built if a package is given.
    pub(crate) fn file(&self) -> Result<PathBuf, artifact::BuildError> {
        match &self.wasm {
            Some(file) => Ok(file.clone()),
            None => artifact::build(self.package.as_deref().unwrap_or_default(), &self.profile),
        }
    }
}
