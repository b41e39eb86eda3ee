//! Checks for the Rust target that the filters are compiled for, and adds it with rustup.
//!
//! Without the target rustc fails with E0463 ("can't find crate for `core`"), minutes into a build.
//! Every program that compiles a .wasm calls [`ensure`] first.

use std::env;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The target of every proxy-wasm module in this workspace.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The target is missing and could not be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MissingTarget {
    /// There is no rustup on the `PATH`.
    NoRustup,
    /// `rustup target add` failed; rustup has printed the reason.
    RustupFailed,
}

impl Display for MissingTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the Rust target {TARGET} is not installed. ")?;
        match self {
            Self::NoRustup => write!(
                f,
                "Install Rust with rustup and run `rustup target add {TARGET}`, or install the target with the package \
                 manager that Rust comes from (Debian: `apt install libstd-rust-dev-wasm32`)"
            ),
            Self::RustupFailed => write!(f, "Run `rustup target add {TARGET}`"),
        }
    }
}

impl std::error::Error for MissingTarget {}

/// Ensures that the target is installed. Adds it with rustup if it is missing, with a line on
/// stderr.
///
/// The check runs once per process.
///
/// # Errors
/// The target is missing and rustup cannot add it.
pub fn ensure() -> Result<(), MissingTarget> {
    static CHECKED: OnceLock<Result<(), MissingTarget>> = OnceLock::new();
    *CHECKED.get_or_init(|| {
        if is_installed(&rustc()) {
            return Ok(());
        }
        eprintln!("the Rust target {TARGET} is missing: running `rustup target add {TARGET}`");
        add("rustup", &rustc())
    })
}

fn rustc() -> OsString {
    env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// Whether the compiler has the target's core library. True if the compiler fails: the build then
/// reports the error.
fn is_installed(rustc: &OsString) -> bool {
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(output) = command.stdin(Stdio::null()).output() else {
        return true;
    };
    let folder = String::from_utf8_lossy(&output.stdout);
    !output.status.success() || has_core(Path::new(folder.trim()))
}

/// Whether a `target-libdir` of rustc holds the core library. rustup removes the folder with the
/// target.
fn has_core(folder: &Path) -> bool {
    let files = folder.read_dir().into_iter().flatten().flatten();
    files
        .filter_map(|file| file.file_name().into_string().ok())
        .any(|name| name.starts_with("libcore-"))
}

/// Adds the target to the current toolchain: rustup sets `RUSTUP_TOOLCHAIN` for its child
/// processes.
fn add(rustup: &str, rustc: &OsString) -> Result<(), MissingTarget> {
    let mut command = Command::new(rustup);
    command.args(["target", "add", TARGET]).stdin(Stdio::null());
    // Standard output is reserved for the output of the caller.
    command.stdout(Stdio::null());
    let status = command.status().map_err(|_| MissingTarget::NoRustup)?;
    if status.success() && is_installed(rustc) {
        Ok(())
    } else {
        Err(MissingTarget::RustupFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scratch folder with an executable of this name and script in it.
    struct Program(std::path::PathBuf);

    impl Program {
        fn new(name: &str, script: &str) -> Self {
            use std::os::unix::fs::PermissionsExt as _;
            let id = std::process::id();
            let folder = env::temp_dir().join(format!("wasm-target-{id}-{name}"));
            std::fs::create_dir_all(&folder).unwrap();
            let file = folder.join("program");
            std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            Self(folder)
        }

        fn path(&self) -> OsString {
            self.0.join("program").into()
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_target_is_installed_if_its_folder_has_the_core_library() {
        let with = Program::new("with", "echo \"$(dirname \"$0\")\"");
        assert!(!is_installed(&with.path()));
        std::fs::write(with.0.join("libcore-0123.rlib"), "").unwrap();
        assert!(is_installed(&with.path()));
        let without = Program::new("without", "echo /nonexistent");
        assert!(!is_installed(&without.path()));
    }

    #[test]
    fn a_target_counts_as_installed_if_the_compiler_fails() {
        let refuses = Program::new("refuses", "exit 1");
        assert!(is_installed(&refuses.path()));
        assert!(is_installed(&"/nonexistent/rustc".into()));
    }

    #[test]
    fn each_failure_names_the_command_to_run() {
        let missing = Program::new("missing", "echo /nonexistent");
        let fails = Program::new("fails", "exit 1");
        let fails = fails.path().into_string().unwrap();
        for (rustup, error) in [
            ("/nonexistent/rustup", MissingTarget::NoRustup),
            (fails.as_str(), MissingTarget::RustupFailed),
            // It succeeds, and the target is still missing.
            ("true", MissingTarget::RustupFailed),
        ] {
            assert_eq!(add(rustup, &missing.path()), Err(error), "{rustup}");
            let text = error.to_string();
            assert!(
                text.contains("rustup target add wasm32-unknown-unknown"),
                "{text}"
            );
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
