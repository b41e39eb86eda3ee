//! The images, a registry, and the command under test.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use testbed::registry::{Access, Registry};
use testbed::{Scratch, workspace};

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The repository of the tests.
pub(crate) const REPOSITORY: &str = "mesh/tcp-peer-stats";

/// Both variants, as anyone builds them.
pub(crate) static PLAIN: LazyLock<PathBuf> = LazyLock::new(|| build("plain", None));

/// The same, signed, from a target folder of its own.
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

/// Builds into a folder that outlives the test: what is compiled there need not be compiled again.
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

/// The command, with nobody logged in.
pub(crate) fn oci<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oci"));
    command
        .args(arguments)
        .env("DOCKER_CONFIG", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// Runs it and returns what it prints.
pub(crate) fn done(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let errors = String::from_utf8(stderr)?;
    assert!(status.success(), "{status}: {errors}");
    Ok(String::from_utf8(stdout)?)
}

/// Runs it, expects it to fail in the documented way, and returns what it says.
pub(crate) fn refused(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.starts_with("error: "), "{errors}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    Ok(errors)
}

/// Runs it with something to read.
pub(crate) fn fed(command: &mut Command, input: &str) -> Result<Output> {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    Ok(child.wait_with_output()?)
}

/// A registry, or `None` where none is installed: the test is then reported as skipped.
pub(crate) fn registry(scratch: &Scratch, access: Access) -> Result<Option<Registry>> {
    Ok(testbed::available(Registry::start(scratch, access))?)
}

/// How to name an image there.
pub(crate) fn name(registry: &Registry, tag: &str) -> String {
    format!("{}/{REPOSITORY}{tag}", registry.address())
}

/// Pushes a layout and returns the names of its images, with their digests.
pub(crate) fn push(output: &Path, reference: &str) -> Result<Vec<(String, String)>> {
    let mut command = oci(["push", reference, "--layout"]);
    let said = done(command.arg(output.join("layout")))?;
    let images = said.lines().map(|line| {
        let (name, digest) = line.split_once('@').ok_or("no digest")?;
        Ok((name.to_owned(), digest.to_owned()))
    });
    images.collect()
}

/// What `cargo oci inspect --json` says of an image or a layout.
pub(crate) fn inspect(image: &str) -> Result<Vec<Value>> {
    let said = done(&mut oci(["inspect", "--json", image]))?;
    Ok(serde_json::from_str(&said)?)
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
