use std::io;
use std::path::PathBuf;

use host_harness::scenario::ScenarioError;
use host_harness::{FilterFailure, LoadError, StartError, artifact};

/// The reason why a measurement fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages contain the fields")]
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
    /// The scenario has no node for one of the sidecars.
    #[error("{0} describes no {1} sidecar")]
    NoSidecar(PathBuf, &'static str),
    /// A filter trapped, or hangs.
    #[error("the filter failed: {0}")]
    Trap(FilterFailure),
    /// Bytes did not arrive, so the measurement is invalid.
    #[error("{what}: {arrived} bytes arrived where {sent} were sent")]
    Lost {
        what: &'static str,
        sent: usize,
        arrived: usize,
    },
    /// A thread that measures panicked.
    #[error("a thread that measures panicked")]
    Thread,
    /// Data cannot be compressed.
    #[error("cannot compress: {0}")]
    Gzip(io::Error),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    /// The budget file is invalid.
    #[error("{path}: {reason}; `cargo budget --update` replaces it")]
    Budget { path: PathBuf, reason: String },
}
