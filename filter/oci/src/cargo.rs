//! The filter's packages and build, by cargo.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, iter};

use cargo_metadata::camino::Utf8PathBuf;
use cargo_metadata::{Artifact, Message, Metadata, MetadataCommand, PackageId};

use crate::error::{Error, Result};
use crate::image::Release;

/// The package that is compiled into the module.
const PACKAGE: &str = "tcp-peer-stats";
const DESCRIPTION: &str =
    "Istio's TCP metrics and peer exchange for stock Envoy: a proxy-wasm network filter";
const ARTEFACT: &str = "tcp_peer_stats.wasm";
const TARGET: &str = "wasm32-unknown-unknown";

/// A built filter.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The .wasm.
    pub(crate) path: PathBuf,
    /// The packages that are compiled into it.
    pub(crate) packages: BTreeSet<PackageId>,
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    let oci = Path::new(env!("CARGO_MANIFEST_DIR"));
    oci.ancestors().nth(2).unwrap_or(oci)
}

/// Reads the packages of the workspace and their dependencies.
pub(crate) fn metadata() -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.current_dir(root());
    command.other_options(["--locked", "--filter-platform", TARGET].map(String::from));
    let metadata = command.exec();
    metadata.map_err(|error| failed(&command.cargo_command(), error))
}

/// The description of the package that is compiled into the module.
pub(crate) fn release(metadata: &Metadata) -> Result<Release> {
    let package = metadata.packages.iter().find(|each| each.name == PACKAGE);
    let package = package.ok_or_else(|| Error::Cargo {
        command: "cargo metadata".into(),
        reason: format!("it lists no package {PACKAGE}"),
    })?;
    Ok(Release {
        name: package.name.to_string(),
        version: package.version.to_string(),
        description: Some(DESCRIPTION.into()),
        license: package.license.clone(),
        source: package.repository.clone(),
    })
}

/// Compiles the filter as `cargo wasm` does, in a target folder of its own. The paths of sources
/// are remapped: panics name files, and those of dependencies are below the home folder of the user
/// who builds.
pub(crate) fn compile(metadata: &Metadata, target: &Path) -> Result<Compiled> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["wasm", "--locked", "--target-dir"]);
    command.arg(target).current_dir(root());
    command.arg("--message-format=json-render-diagnostics");
    command.env("CARGO_ENCODED_RUSTFLAGS", remapping(metadata));
    let output = run(&mut command)?;
    let mut path = None;
    let mut packages = BTreeSet::new();
    for message in Message::parse_stream(output.as_bytes()) {
        if let Ok(Message::CompilerArtifact(artifact)) = message
            && is_for_target(&artifact)
        {
            let mut files = artifact.filenames.into_iter();
            path = path.or_else(|| files.find(|file| file.ends_with(ARTEFACT)));
            packages.insert(artifact.package_id);
        }
    }
    Ok(Compiled {
        path: path
            .map(Utf8PathBuf::into_std_path_buf)
            .ok_or_else(|| failed(&command, "it made no .wasm"))?,
        packages,
    })
}

/// Whether an artifact is part of the module. Build scripts and macros are compiled for the
/// building machine.
fn is_for_target(artifact: &Artifact) -> bool {
    let mut files = artifact.filenames.iter();
    files.any(|file| file.components().any(|part| part.as_str() == TARGET))
}

fn remapping(metadata: &Metadata) -> OsString {
    let packages = metadata.packages.iter();
    let dependencies = packages.filter(|each| each.source.is_some());
    let folders: BTreeSet<&Path> = dependencies
        .filter_map(|each| each.manifest_path.as_std_path().ancestors().nth(2))
        .collect();
    let sources = folders.into_iter().map(|folder| (folder, "/dependencies"));
    let mut flags = OsString::new();
    for (from, to) in sources.chain(iter::once((root(), "/source"))) {
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

/// Runs a command and returns its standard output. Its standard error goes to ours.
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

fn failed(command: &Command, reason: impl ToString) -> Error {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    Error::Cargo {
        command: words.join(" "),
        reason: reason.to_string(),
    }
}

/// The version of the compiler, and so of the standard library in the module.
pub(crate) fn rust_version() -> Result<String> {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.arg("--version").current_dir(root());
    let output = run(&mut command)?;
    let version = output.split_whitespace().nth(1);
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| failed(&command, "its output has no version"))
}
