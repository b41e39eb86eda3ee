//! Errors in manifests. Every message names the manifest and the field.

use std::io;
use std::path::PathBuf;

/// The result of all functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a manifest cannot be read, is rejected, or cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file is not YAML.
    #[error("{path} is not YAML: {reason}", path = path.display())]
    Yaml { path: PathBuf, reason: String },
    /// The folder has no definition of this kind.
    #[error("{manifest}: no CustomResourceDefinition for {api_version} {kind} in the folder")]
    UnknownKind {
        manifest: String,
        api_version: String,
        kind: String,
    },
    /// A definition is invalid for Kubernetes.
    #[error("the definition of {kind} cannot be used: {reason}")]
    Definition { kind: String, reason: String },
    /// A manifest violates its definition.
    #[error("{manifest} is refused:\n{}", .complaints.join("\n"))]
    Refused {
        manifest: String,
        complaints: Vec<String>,
    },
    /// A manifest lacks a required part, or has a part that the renderer does not support.
    #[error("{what}: {reason}")]
    Render { what: String, reason: String },
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
