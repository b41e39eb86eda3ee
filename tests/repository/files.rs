//! The repository's own files.

use std::path::PathBuf;
use std::{fs, io};

use mesh::workspace;

/// The paths of all files, except those in `target/` and in folders whose names begin with a dot.
pub(crate) fn all() -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![workspace::root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !path.is_dir() {
                found.push(fs::canonicalize(path)?);
            } else if name != "target" && !name.starts_with('.') {
                folders.push(path);
            }
        }
    }
    Ok(found)
}
