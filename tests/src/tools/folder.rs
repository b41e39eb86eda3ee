//! Folders below `target/tools/`, each filled once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::workspace;

/// The folder of this name, after `fill` has filled it if it was not there. Processes that want the same folder wait for
/// each other, and a folder that is there is complete: `fill` works in a temporary one that is renamed.
pub(super) fn filled(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let tools = workspace::target().join("tools");
    let dir = tools.join(name);
    if dir.is_dir() {
        return Ok(dir);
    }
    fs::create_dir_all(&tools).context(|| format!("cannot create {}", tools.display()))?;
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
        .tempdir_in(&tools)
        .context(|| format!("cannot create a folder in {}", tools.display()))?;
    fill(staging.path())?;
    // A temporary folder is private; what is installed may be run by another user (PostgreSQL refuses root).
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let staged = staging.keep();
    fs::set_permissions(&staged, open)
        .and_then(|()| fs::rename(&staged, &dir))
        .context(|| format!("cannot rename {} to {}", staged.display(), dir.display()))?;
    Ok(dir)
}
