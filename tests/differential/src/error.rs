//! Errors that prevent a comparison.

use std::io;

/// The result of all functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why scenarios could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// Envoy cannot be downloaded, started or read.
    #[error(transparent)]
    Testbed(#[from] mesh::Error),
    /// The probe filter cannot be built.
    #[error(transparent)]
    Build(#[from] host_harness::artifact::BuildError),
    /// The probe filter cannot be loaded.
    #[error(transparent)]
    Load(#[from] host_harness::LoadError),
    /// The filter rejects a script. Envoy would not start either.
    #[error("scenario {scenario}: {source}")]
    Start {
        scenario: String,
        source: host_harness::StartError,
    },
    /// A program of two sidecars cannot be played.
    #[error("{what}\n{program}")]
    Exchange { program: String, what: String },
    /// An operation on a socket failed.
    #[error("scenario {scenario}: {what}: {source}")]
    Socket {
        scenario: String,
        what: &'static str,
        source: io::Error,
    },
}
