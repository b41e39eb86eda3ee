//! The scenario files of a command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The reason why there is nothing to play.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("{0} has no scenario in it: no file ends in .yaml")]
    NoScenario(String),
}

/// The given files, and the `.yaml` files in the given folders, in the order of their names.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |source| Error::Read {
            path: path.display().to_string(),
            source,
        };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries: io::Result<Vec<_>> = fs::read_dir(path).map_err(failed)?.collect();
        let mut found: Vec<_> = entries
            .map_err(failed)?
            .into_iter()
            .map(|entry| entry.path())
            .collect();
        found.retain(|path: &PathBuf| is_yaml(path));
        if found.is_empty() {
            return Err(Error::NoScenario(path.display().to_string()));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml")
}
