//! kubectl, the client of the API server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use mesh::error::Context;
use mesh::poll::{self, Look};
use mesh::process;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The pause between two looks at an object.
const PAUSE: Duration = Duration::from_millis(150);
const LIMIT: Duration = Duration::from_secs(120);
/// The time for one answer of the API server. kubectl waits for ever by default.
const REQUEST_LIMIT: &str = "--request-timeout=30s";

/// kubectl with the configuration of the administrator.
#[derive(Debug)]
pub struct Kubectl {
    program: PathBuf,
    configuration: PathBuf,
    /// The folder for the documents that it sends.
    work: PathBuf,
    documents: AtomicU32,
}

/// A list of objects.
#[derive(Debug, Deserialize)]
struct List<T> {
    items: Vec<T>,
}

impl Kubectl {
    pub(super) fn new(program: &Path, configuration: &Path, work: &Path) -> Self {
        Self {
            program: program.to_owned(),
            configuration: configuration.to_owned(),
            work: work.to_owned(),
            documents: AtomicU32::new(0),
        }
    }

    /// Runs kubectl and returns its output.
    ///
    /// # Errors
    /// It fails.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Result<String> {
        self.run_in(mesh::workspace::root(), arguments)
    }

    /// As [`Self::run`], in a folder.
    ///
    /// # Errors
    /// It fails.
    pub fn run_in<S: AsRef<std::ffi::OsStr>>(&self, dir: &Path, arguments: &[S]) -> Result<String> {
        let mut command = Command::new(&self.program);
        // The arguments can have another limit: the last one counts.
        command
            .arg(REQUEST_LIMIT)
            .args(arguments)
            .env("KUBECONFIG", &self.configuration)
            .env("HOME", &self.work)
            .current_dir(dir);
        let output = process::run("kubectl", command)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs kubectl with a document, whose path is its last argument.
    ///
    /// # Errors
    /// It fails.
    pub fn send(&self, arguments: &[&str], document: &str) -> Result<String> {
        let number = self.documents.fetch_add(1, Ordering::Relaxed);
        let file = self.work.join(format!("document-{number}.yaml"));
        fs::write(&file, document).context(|| format!("cannot write {}", file.display()))?;
        let path = file.to_string_lossy();
        let sent = self.run(&[arguments, &[&path]].concat());
        fs::remove_file(&file).context(|| format!("cannot remove {}", file.display()))?;
        sent
    }

    /// Applies objects to a namespace.
    ///
    /// # Errors
    /// The API server refuses them.
    pub fn apply(&self, namespace: &str, objects: &str) -> Result<String> {
        self.send(&["apply", "--namespace", namespace, "--filename"], objects)
    }

    /// Gets one object.
    ///
    /// # Errors
    /// There is none, or it has another form.
    pub fn get<T: DeserializeOwned>(&self, namespace: &str, object: &str) -> Result<T> {
        let text = self.run(&["get", object, "--namespace", namespace, "--output=json"])?;
        parse(object, &text)
    }

    /// Gets one object if it exists.
    ///
    /// # Errors
    /// The API server does not answer, or the object has another form.
    pub fn find<T: DeserializeOwned>(&self, namespace: &str, object: &str) -> Result<Option<T>> {
        let flags = ["--ignore-not-found", "--output=json"];
        let text = self.run(&[&["get", object, "--namespace", namespace], &flags[..]].concat())?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        parse(object, &text).map(Some)
    }

    /// Lists the objects of a kind that a selector of labels matches.
    ///
    /// # Errors
    /// The API server does not answer, or an object has another form.
    pub fn list<T: DeserializeOwned>(
        &self,
        namespace: &str,
        kind: &str,
        selector: &str,
    ) -> Result<Vec<T>> {
        let text = self.run(&[
            "get",
            kind,
            "--namespace",
            namespace,
            "--selector",
            selector,
            "--output=json",
        ])?;
        parse::<List<T>>(kind, &text).map(|list| list.items)
    }

    /// Calls `look` until it returns a value.
    ///
    /// # Errors
    /// `look` failed, or returned none within two minutes.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        until(what, LIMIT, &mut look)
    }
}

/// Calls `look` until it returns a value, with a pause that leaves the processor to others.
///
/// # Errors
/// `look` failed, or returned none within the limit.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let mut failed = None;
    let found = poll::until(what, limit, || match look() {
        Ok(Some(found)) => Ok(Look::Found(Some(found))),
        Ok(None) => {
            thread::sleep(PAUSE);
            Ok(Look::NotYet(String::new()))
        }
        Err(error) => {
            failed = Some(error);
            Ok(Look::Found(None))
        }
    })?;
    match (found, failed) {
        (Some(found), _) => Ok(found),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::object(what, "the wait ended without a result")),
    }
}

/// As [`until`], but it is no error if `look` does not return `true` within the limit: what is
/// missing shows in the expectations of the caller.
///
/// # Errors
/// `look` failed.
pub(crate) fn settle(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<bool>,
) -> Result<()> {
    match until(what, limit, || Ok(look()?.then_some(()))) {
        Err(Error::Testbed(error)) if error.is_timeout() => Ok(()),
        other => other,
    }
}

fn parse<T: DeserializeOwned>(what: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::object(what, error.to_string()))
}
