//! Programs of this machine.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A program on the PATH.
#[must_use]
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// A program on the PATH that a test needs.
///
/// # Errors
/// It is not there ([`Error::NotInstalled`]); `remedy` is the sentence that says how to get it.
pub fn required(program: &'static str, remedy: &'static str) -> Result<PathBuf> {
    on_path(program).ok_or(Error::NotInstalled { program, remedy })
}

/// A program on the PATH or in the system's folders for daemons, which are not on an ordinary user's PATH.
///
/// # Errors
/// It is not there ([`Error::NotInstalled`]); `remedy` is the sentence that says how to get it.
pub fn daemon(program: &'static str, remedy: &'static str) -> Result<PathBuf> {
    on_path(program)
        .or_else(|| {
            let system = ["/usr/sbin", "/usr/local/sbin"].map(|dir| Path::new(dir).join(program));
            system.into_iter().find(|file| file.is_file())
        })
        .ok_or(Error::NotInstalled { program, remedy })
}

/// A file of an installed package.
///
/// # Errors
/// The file is not there ([`Error::BrokenInstall`]).
pub fn installed(dir: &Path, file: &str, package: &str) -> Result<PathBuf> {
    let path = dir.join(file);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::BrokenInstall {
        path,
        owner: package.to_owned(),
        owner_dir: dir.to_owned(),
    })
}
