//! What can go wrong with a manifest. Every message names the manifest and the field.

use std::io;
use std::path::PathBuf;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a manifest cannot be read, is refused, or cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file is not YAML.
    #[error("{path} is not YAML: {reason}", path = path.display())]
    Yaml {
        /// Which one.
        path: PathBuf,
        /// The parser's complaint.
        reason: String,
    },
    /// There is no definition of this kind.
    #[error("{manifest}: no CustomResourceDefinition for {api_version} {kind} in the folder")]
    UnknownKind {
        /// The manifest.
        manifest: String,
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
    /// A definition is not as Kubernetes wants it.
    #[error("the definition of {kind} cannot be used: {reason}")]
    Definition {
        /// The kind that it defines.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest does not keep to its definition.
    #[error("{manifest} is refused:\n{}", .complaints.join("\n"))]
    Refused {
        /// The manifest.
        manifest: String,
        /// What is wrong, one line each, beginning with the field.
        complaints: Vec<String>,
    },
    /// A manifest lacks a part that rendering needs, or it has one that the renderer does not know.
    #[error("{what}: {reason}")]
    Render {
        /// The manifest or the part of it.
        what: String,
        /// What is missing or unknown.
        reason: String,
    },
    /// The testbed failed.
    #[error(transparent)]
    Testbed(#[from] mesh::Error),
}

impl Error {
    pub(crate) fn render(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Render {
            what: what.into(),
            reason: reason.into(),
        }
    }
}
