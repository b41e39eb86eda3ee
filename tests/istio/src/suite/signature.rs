//! The signature of the image, and cosign.

use std::path::Path;
use std::process::Command;

use mesh::registry::{Access, Registry};
use mesh::{Scratch, process};

use super::bench::Bench;
use super::{expect, telemetry};
use crate::error::{Error, Result};
use crate::parts::key_pair;

/// The signature is in no public log.
const VERIFY: [&str; 4] = [
    "verify",
    "--allow-http-registry",
    "--insecure-ignore-tlog",
    "--key",
];
const SIGN: [&str; 5] = [
    "sign",
    "--allow-http-registry",
    "--tlog-upload=false",
    "--yes",
    "--key",
];

/// cosign verifies what `cargo oci` signed, and `cargo oci` verifies what cosign signed; neither
/// accepts another key.
pub(super) fn cosign(bench: &mut Bench<'_>) -> Result<String> {
    let run = bench.run();
    let program = run.parts.tools.path("cosign")?;
    let image = run.parts.image.as_ref();
    let image = image.ok_or_else(|| Error::object("the image", "it was not built"))?;
    let scratch = Scratch::new_in(&run.work, "signature")?;
    let registry = Registry::start(&scratch, Access::Open)?;
    let repository = format!("{}/mesh/tcp-peer-stats", registry.address());
    let digest = telemetry::push(image, &repository)?;
    let reference = format!("{repository}@sha256:{digest}");
    let folder = scratch.path();
    let (private, other) = (folder.join("other.key"), folder.join("other.pub"));
    key_pair(&private, &other)?;

    let cosign = |arguments: &[&str], last: &[&Path]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(last)
            .env("COSIGN_PASSWORD", "")
            .env("HOME", folder)
            .current_dir(folder);
        process::run("cosign", command)
    };
    let verify = |key: &Path| cosign(&VERIFY, &[key, Path::new(&reference)]);
    let inspect = |key: &Path| {
        let mut command = Command::new(&image.oci);
        command
            .args(["inspect", "--insecure", "--verify"])
            .args([key, Path::new(&reference)]);
        process::run("cargo oci inspect", command)
    };
    verify(&image.key)?;
    inspect(&image.key)?;
    refuses(verify(&other), "no matching signatures")?;
    refuses(inspect(&other), "has no valid signature by")?;

    let import = [
        "import-key-pair",
        "--yes",
        "--output-key-prefix=own",
        "--key",
    ];
    cosign(&import, &[&private])?;
    let encrypted = folder.join("own.key");
    cosign(&SIGN, &[&encrypted, Path::new(&reference)])?;
    let written = folder.join("own.pub");
    for key in [&image.key, &other, &written] {
        verify(key)?;
        inspect(key)?;
    }
    Ok(
        "2 signatures, each verified by cosign and by cargo oci, another key refused by both"
            .into(),
    )
}

fn refuses<T: std::fmt::Debug>(result: mesh::Result<T>, part: &str) -> Result<()> {
    let message = result.err().map(|error| error.to_string());
    let is_refused = message.as_ref().is_some_and(|text| text.contains(part));
    expect::holds(is_refused, || format!("{part}: {message:?}"))
}
