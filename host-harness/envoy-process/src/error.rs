//! What can go wrong while Envoys and other programs are started and read. Every message names the thing and, where there is one, the remedy.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use wasm_target::MissingTarget;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a program could not be found, started or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path or address it was tried on.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A program that a component needs is not on this machine.
    #[error("{program} was not found. {remedy}")]
    NotInstalled {
        /// The program's name, as one would type it.
        program: &'static str,
        /// How to get it, or how to do without.
        remedy: &'static str,
    },
    /// `python3` is there, pip is not.
    #[error(
        "`{python} -m pip` does not work: {reason}. Install pip (Debian: `apt install python3-pip`; elsewhere `{python} -m ensurepip`){alternative}"
    )]
    NoPip {
        /// The interpreter that was asked.
        python: String,
        /// Its complaint.
        reason: String,
        /// What makes pip unnecessary, empty if nothing does.
        alternative: String,
    },
    /// pip could not install a package.
    #[error(
        "pip could not install {packages}:\n{output}\nIs the package registry reachable (proxy: PIP_PROXY, mirror: PIP_INDEX_URL)?"
    )]
    PipFailed {
        /// The pinned requirements.
        packages: String,
        /// pip's last lines.
        output: String,
    },
    /// Something is installed, but not what was expected.
    #[error("{path} is missing although {owner} is installed. Remove {owner_dir} and try again", path = path.display(), owner_dir = owner_dir.display())]
    BrokenInstall {
        /// The file that should be there.
        path: PathBuf,
        /// The package it belongs to.
        owner: String,
        /// The folder of the package.
        owner_dir: PathBuf,
    },
    /// The file named by an environment variable cannot be run.
    #[error(
        "{variable}={value} cannot be run: {reason}. Point {variable} at an executable or unset it"
    )]
    BadOverride {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// Why it does not do.
        reason: String,
    },
    /// The compiler cannot build for WebAssembly.
    #[error(transparent)]
    NoWasmTarget(#[from] MissingTarget),
    /// Something in this workspace does not compile.
    #[error("`{command}` failed:\n{output}")]
    Build {
        /// The command.
        command: String,
        /// The compiler's output.
        output: String,
    },
    /// A program ran and failed.
    #[error("{name} failed ({status}):\n{output}")]
    CommandFailed {
        /// What was run.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        output: String,
    },
    /// A server ended although it should be running.
    #[error("{name} ended unexpectedly ({status}).{remedy} The end of {log}:\n{tail}", log = log.display())]
    ProcessEnded {
        /// Which one.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// A remedy if the log tells of one (starts with a space), else empty.
        remedy: &'static str,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}{detail}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What was seen instead (starts with a separator), or empty.
        detail: String,
    },
    /// An HTTP request to an Envoy's admin port or to Prometheus failed.
    #[error("{url}: {reason}")]
    Http {
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// Something lacks a part that it should have.
    #[error("{owner} has no {part}")]
    Missing {
        /// The thing.
        owner: &'static str,
        /// The part, by its name or path.
        part: String,
    },
    /// A document is not what it should be.
    #[error("{what} cannot be read: {reason}")]
    Malformed {
        /// The document.
        what: String,
        /// The parser's complaint.
        reason: String,
    },
    /// A line of a Prometheus text exposition is malformed.
    #[error("line {line} of the exposition: {reason}: {text}")]
    Exposition {
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
        /// The line.
        text: String,
    },
    /// A series was asked for that is not there, or is there more than once.
    #[error("{found} series match {wanted}; the candidates are:\n{candidates}")]
    SeriesNotUnique {
        /// How many match.
        found: usize,
        /// Name and labels that were asked for.
        wanted: String,
        /// All series of that name.
        candidates: String,
    },
    /// A certificate could not be made.
    #[error("the certificate for {name} cannot be made: {source}")]
    Certificate {
        /// The subject.
        name: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether the error only says that an optional component is not installed: a test may skip then.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        matches!(self, Self::NotInstalled { .. })
    }

    /// Whether something that was waited for did not happen.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// A document that cannot be read.
    #[must_use]
    pub fn malformed(what: impl Display, reason: impl Display) -> Self {
        Self::Malformed {
            what: what.to_string(),
            reason: reason.to_string(),
        }
    }
}

/// Says what an I/O operation was about.
pub trait Context<T> {
    /// Turns the error into one that starts with `what`.
    fn context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what().to_string(),
            source,
        })
    }
}
