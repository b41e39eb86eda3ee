use std::io;
use std::path::PathBuf;

use host_harness::scenario::ScenarioError;
use host_harness::{LoadError, StartError, artifact};

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A filter does not compile.
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    /// A filter cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A filter does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The sidecars' scenario cannot be read.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The scenario does not say who one of the sidecars is.
    #[error("{0} describes no {1} sidecar")]
    NoSidecar(PathBuf, &'static str),
    /// A filter died.
    #[error("the filter failed: {0}")]
    Trap(String),
    /// Bytes did not arrive, so what was measured is not what was meant.
    #[error("{what}: {arrived} bytes arrived where {sent} were sent")]
    Lost {
        /// What was under way.
        what: &'static str,
        /// How many should have arrived.
        sent: usize,
        /// How many did.
        arrived: usize,
    },
    /// A thread that measures panicked.
    #[error("a thread that measures panicked")]
    Thread,
    /// Something cannot be compressed.
    #[error("cannot compress: {0}")]
    Gzip(io::Error),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The budget file is not one.
    #[error("{path}: {reason}; `cargo budget --update` writes it anew")]
    Budget {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
