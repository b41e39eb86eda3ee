//! What can keep scenarios from being compared.

use std::io;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why scenarios could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Envoy cannot be had, started or read.
    #[error(transparent)]
    Testbed(#[from] mesh::Error),
    /// The probe filter cannot be built.
    #[error(transparent)]
    Build(#[from] host_harness::artifact::BuildError),
    /// The probe filter cannot be loaded.
    #[error(transparent)]
    Load(#[from] host_harness::LoadError),
    /// A script makes the filter refuse to start, which would keep Envoy from starting.
    #[error("scenario {scenario}: {source}")]
    Start {
        /// The scenario.
        scenario: String,
        /// The harness' complaint.
        source: host_harness::StartError,
    },
    /// A socket does not do what sockets do.
    #[error("scenario {scenario}: {what}: {source}")]
    Socket {
        /// The scenario.
        scenario: String,
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}
