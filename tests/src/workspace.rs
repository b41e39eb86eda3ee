//! Where things are: the repository, its `target/`, and a scratch folder per run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Context, Result};

/// The repository's root.
#[must_use]
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The repository's `target/`. Everything the testbed fetches or writes is below it.
#[must_use]
pub fn target() -> PathBuf {
    root().join("target")
}

/// A folder of one run, for bootstraps, logs and databases. It is removed with this value, unless the run failed.
#[derive(Debug)]
pub struct Scratch {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Scratch {
    /// Makes `target/testbed/<name>-<random>`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let parent = target().join("testbed");
        fs::create_dir_all(&parent).context(|| format!("cannot create {}", parent.display()))?;
        let dir = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(&parent)
            .context(|| format!("cannot create a folder in {}", parent.display()))?;
        let path = dir.path().to_owned();
        // Not private: a server in it may have to run as another user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .context(|| format!("cannot open {}", path.display()))?;
        Ok(Self {
            dir: Some(dir),
            path,
        })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing has been put into it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_none())
    }

    /// Makes a folder in it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).context(|| format!("cannot create {}", path.display()))?;
        Ok(path)
    }

    /// Leaves the folder where it is, for someone to look at.
    pub fn keep(&mut self) {
        if let Some(dir) = self.dir.take() {
            let _kept = dir.keep();
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep();
        }
    }
}
