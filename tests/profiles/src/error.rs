//! The reasons why a survey fails.

/// The result of all functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an Envoy or the emulator could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Envoy cannot be fetched, started or read.
    #[error(transparent)]
    Testbed(#[from] mesh::Error),
    /// The probe filter cannot be built.
    #[error(transparent)]
    Build(#[from] host_harness::artifact::BuildError),
    /// The probe filter cannot be loaded.
    #[error(transparent)]
    Load(#[from] host_harness::LoadError),
    /// The emulator rejects the probe filter's configuration.
    #[error(transparent)]
    Start(#[from] host_harness::StartError),
    /// There is no profile of this minor version.
    #[error(
        "the emulator has no profile of Envoy {0}: add the version to `Profile` in host-harness/src/profile.rs and a \
         release to RELEASES in tests/profiles/src/lib.rs, then run `cargo profiles --write`"
    )]
    NoProfile(String),
    /// This Envoy registers factories of filter state that the probe does not ask for.
    #[error(
        "the probe does not ask for the filter state objects {0:?}: add them to OBJECTS in tests/profiles/src/objects.rs"
    )]
    UnknownObjects(Vec<String>),
    /// A socket of an application failed.
    #[error("{what}: {source}")]
    Socket {
        /// The operation.
        what: &'static str,
        /// The error of the operating system.
        source: std::io::Error,
    },
}
