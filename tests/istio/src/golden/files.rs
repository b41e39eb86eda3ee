//! The files in the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use mesh::error::Context;
use mesh::workspace;
use serde_json::Value;

use crate::error::{Error, Result};

/// The folder of the files.
const FOLDER: &str = "tests/istio/golden";

/// The file with the output of Envoy Gateway, which stays as it is where that is not built.
pub(super) const GATEWAY: &str = "envoy-gateway.json";

fn folder() -> PathBuf {
    workspace::root().join(FOLDER)
}

/// The text of a document, with a line for each member.
pub(super) fn text(document: &Value) -> Result<String> {
    let text = serde_json::to_string_pretty(document);
    let mut text = text.map_err(|error| Error::object("a document", error.to_string()))?;
    text.push('\n');
    Ok(text)
}

/// The names of the files that have another text, are missing, or are too many.
pub(super) fn compare(texts: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let names: BTreeSet<_> = existing(texts)?
        .into_iter()
        .chain(texts.keys().cloned())
        .collect();
    let mut different = Vec::new();
    for name in names {
        let path = folder().join(&name);
        let own = match path.is_file() {
            true => Some(read(&path)?),
            false => None,
        };
        if own.as_ref() != texts.get(&name) {
            different.push(name);
        }
    }
    Ok(different)
}

fn read(path: &std::path::Path) -> Result<String> {
    Ok(fs::read_to_string(path).context(|| format!("cannot read {}", path.display()))?)
}

/// Writes all files, and removes others.
pub(super) fn write(texts: &BTreeMap<String, String>) -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).context(|| format!("cannot create {FOLDER}"))?;
    for name in existing(texts)? {
        let path = folder.join(name);
        fs::remove_file(&path).context(|| format!("cannot remove {}", path.display()))?;
    }
    for (name, text) in texts {
        let path = folder.join(name);
        fs::write(&path, text).context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The files that there are, without one that stays as it is.
fn existing(texts: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let folder = folder();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.context(|| format!("cannot list {FOLDER}"))?;
    let names = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names
        .filter(|name| name != GATEWAY || texts.contains_key(name))
        .collect())
}
