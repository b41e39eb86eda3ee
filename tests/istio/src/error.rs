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
    /// The folder of a family in the cache lacks a program.
    #[error("{folder} has no {program}. Remove the folder and run `cargo istio tools`", folder = folder.display())]
    IncompleteCache {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        program: String,
    },
    /// The command line names something that does not exist.
    #[error("there is no {kind} {name}. Use one of: {known}")]
    Unknown {
        /// What is named.
        kind: &'static str,
        /// The wrong name.
        name: String,
        /// The right names.
        known: String,
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

    /// Checks that all names are known.
    ///
    /// # Errors
    /// One is not; the message lists those that are.
    pub(crate) fn unknown<'a>(
        kind: &'static str,
        names: &[String],
        known: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let known: Vec<_> = known.collect();
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(wrong) => Err(Self::Unknown {
                kind,
                name: wrong.clone(),
                known: known.join(", "),
            }),
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
