//! What cargo knows of the filter, and its build.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, iter};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::image::Release;

/// The package that becomes the module.
const PACKAGE: &str = "tcp-peer-stats";
const DESCRIPTION: &str =
    "Istio's TCP metrics and peer exchange for stock Envoy: a proxy-wasm network filter";
const ARTEFACT: &str = "tcp_peer_stats.wasm";
const TARGET: &str = "wasm32-unknown-unknown";

/// The packages of the workspace and of everything it depends on.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) resolve: Resolve,
}

/// Who depends on whom.
#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// What a package depends on, by the packages' ids.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) dependencies: Vec<String>,
}

/// A package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    /// Where it comes from; nothing if it is of this workspace.
    pub(crate) source: Option<String>,
    manifest_path: PathBuf,
}

/// A built filter.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The .wasm.
    pub(crate) path: PathBuf,
    /// The ids of the packages that are in it.
    pub(crate) packages: BTreeSet<String>,
}

/// A message of cargo's about something that it built.
#[derive(Deserialize)]
struct Artefact {
    package_id: String,
    filenames: Vec<PathBuf>,
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    let oci = Path::new(env!("CARGO_MANIFEST_DIR"));
    oci.ancestors().nth(2).unwrap_or(oci)
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        let mut command = cargo(["metadata", "--format-version=1", "--locked"]);
        command.args(["--filter-platform", TARGET]);
        let said = run(&mut command)?;
        parse(&command, &said)
    }

    /// The package that becomes the module.
    pub(crate) fn release(&self) -> Result<Release> {
        let package = self.packages.iter().find(|each| each.name == PACKAGE);
        let package = package.ok_or_else(|| Error::Cargo {
            command: "cargo metadata".into(),
            reason: format!("it knows no package {PACKAGE}"),
        })?;
        Ok(Release {
            name: package.name.clone(),
            version: package.version.clone(),
            description: Some(DESCRIPTION.into()),
            license: package.license.clone(),
            source: package.repository.clone(),
        })
    }

    /// Compiles the filter as `cargo wasm` does, in a target folder of its own, and so that the module does not tell where
    /// its sources were: panics name files, and those of dependencies are below the home folder of whoever builds.
    pub(crate) fn compile(&self, target: &Path) -> Result<Compiled> {
        let mut command = cargo(["wasm", "--locked", "--target-dir"]);
        command.arg(target);
        command.arg("--message-format=json-render-diagnostics");
        command.env("CARGO_ENCODED_RUSTFLAGS", self.remapping());
        let said = run(&mut command)?;
        let is_in_it = |artefact: &Artefact| {
            // What runs while it is built is for the builder's own machine.
            let mut files = artefact.filenames.iter();
            files.any(|file| file.components().any(|part| part.as_os_str() == TARGET))
        };
        let lines = said.lines();
        let artefacts: Vec<Artefact> = lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(is_in_it)
            .collect();
        let files = artefacts.iter().flat_map(|artefact| &artefact.filenames);
        let mut modules = files.filter(|file| file.ends_with(ARTEFACT));
        let path = modules.next().cloned();
        Ok(Compiled {
            path: path.ok_or_else(|| failed(&command, "it made no .wasm"))?,
            packages: artefacts
                .into_iter()
                .map(|artefact| artefact.package_id)
                .collect(),
        })
    }

    fn remapping(&self) -> OsString {
        let foreign = self.packages.iter().filter(|each| each.source.is_some());
        let folders: BTreeSet<&Path> = foreign
            .filter_map(|each| each.manifest_path.ancestors().nth(2))
            .collect();
        let sources = folders.into_iter().map(|folder| (folder, "/dependencies"));
        let all = sources.chain(iter::once((root(), "/source")));
        let mut flags = OsString::new();
        for (from, to) in all {
            if !flags.is_empty() {
                flags.push("\x1f");
            }
            flags.push("--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
        flags
    }
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs it and returns what it prints; what it says of its progress and of mistakes goes where ours goes.
fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(command, error))?;
    if !output.status.success() {
        return Err(failed(command, format!("{} (see above)", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(command, error))
}

fn parse<T: DeserializeOwned>(command: &Command, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| failed(command, error))
}

fn failed(command: &Command, reason: impl ToString) -> Error {
    let arguments = command.get_args().map(|each| each.to_string_lossy());
    let arguments: Vec<_> = arguments.collect();
    Error::Cargo {
        command: format!("cargo {}", arguments.join(" ")),
        reason: reason.to_string(),
    }
}

/// The version of the compiler, and so of the standard library in the module.
pub(crate) fn rust_version() -> Result<String> {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.arg("--version").current_dir(root());
    let said = run(&mut command)?;
    let version = said.split_whitespace().nth(1);
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| failed(&command, "it told no version"))
}
