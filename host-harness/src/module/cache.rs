//! Compiled modules on disk: a later process loads them instead of compiling again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

/// The number of modules that remain in the folder.
const LIMIT: usize = 64;

/// The folder of a user's compiled modules: `$XDG_CACHE_HOME/host-harness/modules`, by default in
/// `~/.cache`; `None` without a home.
pub(super) fn folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|folder| folder.is_absolute());
    let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    cache
        .is_absolute()
        .then(|| cache.join("host-harness/modules"))
}

/// Returns the compiled module of these bytes; `None` if the folder does not have it, or another
/// version of wasmtime compiled it.
pub(super) fn load(engine: &Engine, folder: &Path, bytes: &[u8]) -> Option<wasmtime::Module> {
    let file = folder.join(name(bytes));
    // A missing file is no error to report.
    fs::metadata(&file).ok()?;
    #[allow(unsafe_code, reason = "wasmtime trusts the bytes of a compiled module")]
    // SAFETY: only `store` writes to the folder, which belongs to the user that runs the module, and
    // it gives a file this name when the file is complete.
    let loaded = unsafe { wasmtime::Module::deserialize_file(engine, file) };
    loaded.ok()
}

/// Stores a compiled module, and removes the oldest ones.
///
/// # Errors
/// The folder cannot be written. The module is compiled again next time.
pub(super) fn store(module: &wasmtime::Module, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let compiled = module.serialize().map_err(io::Error::other)?;
    fs::create_dir_all(folder)?;
    let name = name(bytes);
    // The file is renamed when it is complete, and its name is unique to this write.
    static WRITES: AtomicUsize = AtomicUsize::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let staged = folder.join(format!(".{name}.{}.{number}", std::process::id()));
    let mut file = File::create_new(&staged)?;
    file.write_all(&compiled)?;
    fs::rename(&staged, folder.join(name))?;
    remove_oldest(folder)
}

fn remove_oldest(folder: &Path) -> io::Result<()> {
    let entries: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    let mut files: Vec<(SystemTime, PathBuf)> = entries
        .iter()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_unstable();
    let excess = files.len().saturating_sub(LIMIT);
    files
        .iter()
        .take(excess)
        .try_for_each(|(_, file)| fs::remove_file(file))
}

/// The digest of a module, as a file name.
fn name(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"(module (func (export \"f\")))";

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("module-cache-{name}-{}", std::process::id()))
    }

    fn compiled(engine: &Engine, folder: &Path) {
        let module = wasmtime::Module::new(engine, MODULE).unwrap();
        store(&module, folder, MODULE).unwrap();
    }

    #[test]
    fn a_stored_module_is_loaded_by_the_same_engine_configuration_only() {
        let folder = folder("loaded");
        let engine = super::super::engine().unwrap();
        assert!(load(&engine, &folder, MODULE).is_none());
        compiled(&engine, &folder);
        let loaded = load(&engine, &folder, MODULE).unwrap();
        assert!(loaded.exports().any(|export| export.name() == "f"));
        assert!(load(&engine, &folder, b"(module)").is_none());
        assert!(load(&Engine::default(), &folder, MODULE).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_oldest_modules_are_removed() {
        let folder = folder("removed");
        let engine = super::super::engine().unwrap();
        compiled(&engine, &folder);
        let oldest = File::open(folder.join(name(MODULE))).unwrap();
        oldest.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        for number in 0..LIMIT {
            fs::write(folder.join(number.to_string()), "").unwrap();
        }
        remove_oldest(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), LIMIT);
        assert!(load(&engine, &folder, MODULE).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
