//! The images and a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;

use mesh::registry::{Access, Registry};
use mesh::{Scratch, workspace};
use serde_json::Value;

pub(crate) use crate::command::{Result, done, fed, inspect, oci, refused};

/// The repository of the tests.
pub(crate) const REPOSITORY: &str = "mesh/tcp-peer-stats";

/// Both variants, built without a key.
pub(crate) static PLAIN: LazyLock<PathBuf> = LazyLock::new(|| build("plain", None));

/// Both variants, signed, built in a separate target folder.
pub(crate) static SIGNED: LazyLock<PathBuf> =
    LazyLock::new(|| build("signed", Some(&KEY.join("key.pem"))));

/// A folder with a key pair, `key.pem` and `public.pem`.
pub(crate) static KEY: LazyLock<PathBuf> = LazyLock::new(|| {
    let pair = rcgen::KeyPair::generate().unwrap();
    let dir = workspace::target().join("testbed/oci/key");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("key.pem"), pair.serialize_pem()).unwrap();
    fs::write(dir.join("public.pem"), pair.public_key_pem()).unwrap();
    dir
});

/// Builds into a folder that remains after the test: later runs use its target folder.
fn build(name: &str, key: Option<&Path>) -> PathBuf {
    let output = workspace::target().join("testbed/oci").join(name);
    let mut command = oci(["build", "--output"]);
    command.arg(&output);
    if let Some(key) = key {
        command.arg("--key").arg(key);
    }
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
    output
}

/// Starts a registry; `None` if none is installed: the test is then reported as skipped.
pub(crate) fn registry(scratch: &Scratch, access: Access) -> Result<Option<Registry>> {
    Ok(mesh::available(Registry::start(scratch, access))?)
}

/// The reference of an image in the registry.
pub(crate) fn name(registry: &Registry, tag: &str) -> String {
    format!("{}/{REPOSITORY}{tag}", registry.address())
}

/// Pushes a layout and returns the names of its images, with their digests.
pub(crate) fn push(output: &Path, reference: &str) -> Result<Vec<(String, String)>> {
    let mut command = oci(["push", reference, "--layout"]);
    let text = done(command.arg(output.join("layout")))?;
    let images = text.lines().map(|line| {
        let (name, digest) = line.split_once('@').ok_or("no digest")?;
        Ok((name.to_owned(), digest.to_owned()))
    });
    images.collect()
}

/// Reads a JSON file.
pub(crate) fn json(file: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

/// The file of a blob in a layout.
pub(crate) fn blob(output: &Path, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    output.join("layout/blobs/sha256").join(hex)
}
