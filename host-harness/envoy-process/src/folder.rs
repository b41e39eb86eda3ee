//! Folders for installed programs and for the files of one run.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use crate::error::{Context, Result};

/// The folder for everything that is installed or written: the `target` folder of the cargo workspace
/// that the current folder is in; outside of one, `$XDG_CACHE_HOME/host-harness`, by default in
/// `~/.cache`.
#[must_use]
pub fn data() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty());
    let cache = match (cache, env::home_dir()) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => home.join(".cache"),
        (None, None) => env::temp_dir(),
    };
    data_at(&env::current_dir().unwrap_or_default(), &cache)
}

fn data_at(current: &Path, cache: &Path) -> PathBuf {
    let mut folders = current.ancestors();
    match folders.find(|folder| folder.join("Cargo.lock").is_file()) {
        Some(workspace) => workspace.join("target"),
        None => cache.join("host-harness"),
    }
}

/// The folders of this process that are to be removed.
static TO_REMOVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes the folders of all [`Scratch`] values of this process, which is about to end without
/// dropping them.
pub fn remove_all() {
    let folders = std::mem::take(&mut *TO_REMOVE.lock().unwrap_or_else(PoisonError::into_inner));
    for folder in folders {
        // A server may add a file meanwhile.
        let _left = fs::remove_dir_all(&folder).or_else(|_| fs::remove_dir_all(&folder));
    }
}

/// A folder of one run, for bootstraps, logs and databases. Dropping the value removes the folder,
/// unless the thread panics.
#[derive(Debug)]
pub struct Scratch {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Scratch {
    /// Creates the folder `runs/<name>-<random>` in [`data`].
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn new(name: &str) -> Result<Self> {
        Self::new_in(&data().join("runs"), name)
    }

    /// Creates the folder `<name>-<random>` in another one.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn new_in(parent: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(parent).context(|| format!("cannot create {}", parent.display()))?;
        let dir = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(parent)
            .context(|| format!("cannot create a folder in {}", parent.display()))?;
        let path = dir.path().to_owned();
        let mut to_remove = TO_REMOVE.lock().unwrap_or_else(PoisonError::into_inner);
        to_remove.insert(path.clone());
        drop(to_remove);
        // Not private: a server that uses it may run as another user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .context(|| format!("cannot open {}", path.display()))?;
        Ok(Self {
            dir: Some(dir),
            path,
        })
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Creates a folder in the folder.
    ///
    /// # Errors
    /// The folder cannot be created.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// Keeps the folder for inspection: dropping the value does not remove it.
    pub fn keep(&mut self) {
        if let Some(dir) = self.dir.take() {
            let _kept = dir.keep();
        }
        self.forget();
    }

    fn forget(&self) {
        let mut to_remove = TO_REMOVE.lock().unwrap_or_else(PoisonError::into_inner);
        to_remove.remove(&self.path);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep();
        }
        self.forget();
    }
}

/// [`filled_in`] the folder `tools` of [`data`].
///
/// # Errors
/// The folder cannot be created, or `fill` failed.
pub fn filled(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    filled_in(&data().join("tools"), name, fill)
}

/// Returns the folder with this name in another one. If it is missing, calls `fill` to create its
/// content. Processes that need the same folder wait for each other. An existing folder is complete:
/// `fill` writes to a temporary folder, which is then renamed.
///
/// # Errors
/// The folder cannot be created, or `fill` failed.
pub fn filled_in(
    tools: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = tools.join(name);
    if dir.is_dir() {
        return Ok(dir);
    }
    fs::create_dir_all(tools).context(|| format!("cannot create {}", tools.display()))?;
    let lock_path = tools.join(format!("{name}.lock"));
    let lock =
        File::create(&lock_path).context(|| format!("cannot create {}", lock_path.display()))?;
    lock.lock()
        .context(|| format!("cannot lock {}", lock_path.display()))?;
    if dir.is_dir() {
        return Ok(dir);
    }
    let staging = tempfile::Builder::new()
        .prefix(&format!(".{name}-"))
        .tempdir_in(tools)
        .context(|| format!("cannot create a folder in {}", tools.display()))?;
    fill(staging.path())?;
    // A temporary folder is private, but another user may run the installed programs: PostgreSQL
    // does not run as root.
    let open = PermissionsExt::from_mode(0o755);
    let staged = staging.keep();
    fs::set_permissions(&staged, open)
        .and_then(|()| fs::rename(&staged, &dir))
        .context(|| format!("cannot rename {} to {}", staged.display(), dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_in_the_workspace_or_in_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let (workspace, cache) = (folder.path().join("workspace"), folder.path().join("cache"));
        let package = workspace.join("crates/filter");
        fs::create_dir_all(&package).unwrap();
        assert_eq!(data_at(&package, &cache), cache.join("host-harness"));
        fs::write(workspace.join("Cargo.lock"), "").unwrap();
        assert_eq!(data_at(&package, &cache), workspace.join("target"));
    }
}
