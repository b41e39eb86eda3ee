//! Programs of this machine.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A program on the PATH; `None` if it is missing.
#[must_use]
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// A required program on the PATH.
///
/// # Errors
/// The program is missing ([`Error::NotInstalled`]). `remedy`: the sentence about its installation.
pub fn required(program: &'static str, remedy: &'static str) -> Result<PathBuf> {
    on_path(program).ok_or(Error::NotInstalled { program, remedy })
}

/// A required program on the PATH or in the system's folders for daemons, which are not on the PATH
/// of an ordinary user.
///
/// # Errors
/// The program is missing ([`Error::NotInstalled`]). `remedy`: the sentence about its installation.
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
/// The file is missing ([`Error::BrokenInstall`]).
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
