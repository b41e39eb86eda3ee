//! The errors of this crate. Each message names the thing and the remedy.

use std::path::PathBuf;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why the control plane could not be built, started, or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine lacks what the meshes need.
    #[error("{what}. {remedy}")]
    Unmet {
        /// What is missing.
        what: String,
        /// The way to get it.
        remedy: String,
    },
    /// The folder that `ISTIO_TOOLS` names lacks a program.
    #[error(
        "{variable}={folder} has no {program}. Put it there, or unset {variable} and run `cargo istio tools`",
        folder = folder.display()
    )]
    IncompleteTools {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        folder: PathBuf,
        /// The missing file.
        program: String,
    },
    /// A Kubernetes object lacks a part, or has one that is not supported here.
    #[error("{object}: {reason}")]
    Object {
        /// The kind and name of the object.
        object: String,
        /// The missing or unsupported part.
        reason: String,
    },
    /// A check did not find what it expects.
    #[error("{0}")]
    Check(String),
    /// A certificate cannot be created.
    #[error("the certificate for {name} cannot be made: {source}")]
    Certificate {
        /// The subject.
        name: String,
        /// The reason.
        source: rcgen::Error,
    },
    /// A program, a file, or a document failed.
    #[error(transparent)]
    Testbed(#[from] mesh::Error),
}

impl Error {
    /// The error for an object of Kubernetes.
    pub(crate) fn object(object: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Object {
            object: object.into(),
            reason: reason.into(),
        }
    }

    /// Whether something is not installed or not built, or this user may not use it; a test may
    /// then be skipped.
    #[must_use]
    pub fn is_unmet(&self) -> bool {
        match self {
            Self::Unmet { .. } => true,
            Self::Testbed(error) => error.is_not_installed(),
            _ => false,
        }
    }
}
