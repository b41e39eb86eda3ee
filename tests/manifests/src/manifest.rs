//! Kubernetes manifests.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use mesh::workspace;
use serde_json::Value;

use crate::error::{Error, Result};

/// One object of a YAML file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The path of its file, relative to the repository's root.
    pub path: PathBuf,
    /// The object.
    pub document: Value,
}

impl Manifest {
    /// Reads the objects of a file.
    ///
    /// # Errors
    /// The file cannot be read or is not YAML.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Parses the objects of a text. `path` is the path of its file, which need not exist.
    ///
    /// # Errors
    /// The text is not YAML.
    pub fn parse(yaml: &str, path: &Path) -> Result<Vec<Self>> {
        let path = path.strip_prefix(workspace::root()).unwrap_or(path);
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(yaml).map_err(|error| Error::Yaml {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        let manifest = |document| Self {
            path: path.to_owned(),
            document,
        };
        Ok(documents.into_iter().map(manifest).collect())
    }

    /// `kind`, empty if it is not a Kubernetes object.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The text at a JSON pointer, empty if there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        let value = self.document.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} {}",
            self.path.display(),
            self.kind(),
            self.name()
        )
    }
}

/// All YAML files in a folder of the repository and below, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(&workspace::root().join(folder), &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
    Ok(())
}
