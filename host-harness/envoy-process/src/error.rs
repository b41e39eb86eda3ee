//! The errors of finding, starting and reading Envoys and other programs. Every message names the
//! program or document, and the remedy if there is one.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use wasm_target::MissingTarget;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a program could not be found, started or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation of the operating system failed.
    #[error("{what}: {source}")]
    Io {
        /// The operation, with its path or address.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// A required program is not on this machine.
    #[error("{program} was not found. {remedy}")]
    NotInstalled {
        /// The name of the executable.
        program: &'static str,
        /// The way to install the program or to avoid it.
        remedy: &'static str,
    },
    /// `python3` is installed, pip is not.
    #[error(
        "`{python} -m pip` does not work: {reason}. Install pip (Debian: `apt install python3-pip`; elsewhere `{python} -m ensurepip`){alternative}"
    )]
    NoPip {
        /// The interpreter.
        python: String,
        /// The output of the interpreter.
        reason: String,
        /// The remedy without pip; empty if there is none.
        alternative: String,
    },
    /// pip could not install a package.
    #[error(
        "pip could not install {packages}:\n{output}\nIs the package registry reachable (proxy: PIP_PROXY, mirror: PIP_INDEX_URL)?"
    )]
    PipFailed {
        /// The pinned requirements.
        packages: String,
        /// The last lines of pip's output.
        output: String,
    },
    /// An installed package lacks an expected file.
    #[error("{path} is missing although {owner} is installed. Remove {owner_dir} and try again", path = path.display(), owner_dir = owner_dir.display())]
    BrokenInstall {
        /// The expected file.
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
        /// The reason why it cannot be run.
        reason: String,
    },
    /// The Rust target for WebAssembly is missing.
    #[error(transparent)]
    NoWasmTarget(#[from] MissingTarget),
    /// A package of this workspace does not compile.
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
        /// The program.
        name: String,
        /// The exit status.
        status: ExitStatus,
        /// The last lines of its output.
        output: String,
    },
    /// A server ended although it should be running.
    #[error("{name} ended unexpectedly ({status}).{remedy} The end of {log}:\n{tail}", log = log.display())]
    ProcessEnded {
        /// The server.
        name: String,
        /// The exit status.
        status: ExitStatus,
        /// A remedy for a known error in the log, with a leading space; else empty.
        remedy: &'static str,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// An event did not happen in time.
    #[error("{what} did not happen within {limit:?}{detail}")]
    TimedOut {
        /// The event.
        what: String,
        /// The time limit.
        limit: Duration,
        /// The last state, with a leading separator; or empty.
        detail: String,
    },
    /// An HTTP request to an Envoy's admin port or to Prometheus failed.
    #[error("{url}: {reason}")]
    Http {
        /// The requested URL.
        url: String,
        /// The error of the request.
        reason: String,
    },
    /// A document or a mesh lacks an expected part.
    #[error("{owner} has no {part}")]
    Missing {
        /// The document or mesh.
        owner: &'static str,
        /// The part, by its name or path.
        part: String,
    },
    /// A document is malformed.
    #[error("{what} cannot be read: {reason}")]
    Malformed {
        /// The document.
        what: String,
        /// The parser's error.
        reason: String,
    },
    /// A line of a Prometheus text exposition is malformed.
    #[error("line {line} of the exposition: {reason}: {text}")]
    Exposition {
        /// Line number, from 1.
        line: usize,
        /// The error in the line.
        reason: &'static str,
        /// The line.
        text: String,
    },
    /// No series or several series match a query.
    #[error("{found} series match {wanted}; the candidates are:\n{candidates}")]
    SeriesNotUnique {
        /// The number of matches.
        found: usize,
        /// The requested name and labels.
        wanted: String,
        /// All series with this name.
        candidates: String,
    },
    /// A certificate cannot be created.
    #[error("the certificate for {name} cannot be made: {source}")]
    Certificate {
        /// The subject.
        name: String,
        /// The reason.
        source: rcgen::Error,
    },
    /// The user interrupted the program.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether an optional component is not installed; a test may then be skipped.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        matches!(self, Self::NotInstalled { .. })
    }

    /// Whether an event did not happen in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// The error for a document that cannot be read.
    #[must_use]
    pub fn malformed(what: impl Display, reason: impl Display) -> Self {
        Self::Malformed {
            what: what.to_string(),
            reason: reason.to_string(),
        }
    }
}

/// Adds the operation to an I/O error.
pub trait Context<T> {
    /// Converts the error into one whose message starts with `what`.
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
