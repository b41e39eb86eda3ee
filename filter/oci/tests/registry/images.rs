//! The built images.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use mesh::{available, process, workspace};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fixture::{KEY, PLAIN, Result, SIGNED, blob, done, inspect, json, oci, refused};

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The blobs of a layout by name.
fn blobs(output: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries = fs::read_dir(output.join("layout/blobs/sha256"))?;
    entries
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, fs::read(entry.path())?))
        })
        .collect()
}

/// The manifest of a signature or SBOM of an image.
fn companion(output: &Path, digest: &str, suffix: &str) -> Result<Value> {
    let tag = format!("{}.{suffix}", digest.replace(':', "-"));
    let index = json(&output.join("layout/index.json"))?;
    let mut entries = index["manifests"].as_array().ok_or("no manifests")?.iter();
    let entry = entries.find(|entry| entry["annotations"][REF_NAME] == tag);
    let digest = entry.ok_or("no such tag")?["digest"].as_str();
    json(&blob(output, digest.ok_or("no digest")?))
}

/// The entries of a layout's index without signatures.
fn entries(output: &Path) -> Result<Vec<Value>> {
    let index = json(&output.join("layout/index.json"))?;
    let entries = index["manifests"].as_array().ok_or("no manifests")?.iter();
    let is_signature = |entry: &&Value| {
        let tag = entry["annotations"][REF_NAME].as_str();
        tag.is_some_and(|tag| tag.ends_with(".sig"))
    };
    Ok(entries
        .filter(|entry| !is_signature(entry))
        .cloned()
        .collect())
}

#[test]
fn builds_in_two_target_folders_are_identical() -> Result {
    let (plain, signed) = (blobs(&PLAIN)?, blobs(&SIGNED)?);
    for (name, bytes) in &plain {
        assert_eq!(hex::encode(Sha256::digest(bytes)), *name);
        assert!(signed.get(name) == Some(bytes), "{name} differs");
    }
    // Each of two images has a signature's manifest, configuration and payload.
    assert_eq!(signed.len(), plain.len() + 6);
    assert_eq!(entries(&PLAIN)?, entries(&SIGNED)?);
    for file in [
        "tcp_peer_stats.wasm",
        "tcp_peer_stats.wasm.sha256",
        "tcp_peer_stats.cdx.json",
    ] {
        let same = fs::read(PLAIN.join(file))? == fs::read(SIGNED.join(file))?;
        assert!(same, "{file} differs");
    }
    Ok(())
}

#[test]
fn the_module_contains_no_path_of_its_build() -> Result {
    let module = fs::read(PLAIN.join("tcp_peer_stats.wasm"))?;
    let text = String::from_utf8_lossy(&module);
    let root = workspace::root().to_str().ok_or("no UTF-8")?;
    for expected in [root, ".cargo/", "registry/src"] {
        assert!(!text.contains(expected), "{expected}");
    }
    assert!(text.contains("/dependencies/"), "panics name their files");
    Ok(())
}

/// The name of an export contains the ABI version of a module.
#[test]
fn the_artifact_contains_the_abi_version_of_the_module() -> Result {
    let layout = PLAIN.join("layout");
    let images = inspect(layout.to_str().ok_or("no UTF-8")?)?;
    let digest = images[1]["manifest_digest"].as_str().ok_or("no digest")?;
    let manifest = json(&blob(&PLAIN, digest))?;
    let config = manifest["layers"][0]["digest"].as_str();
    let config = json(&blob(&PLAIN, config.ok_or("no layer")?))?;
    let version = config["abi_version"].as_str().ok_or("no version")?;
    let export = format!("proxy_abi_version_{}", version.replace('.', "_"));
    let module = fs::read(PLAIN.join("tcp_peer_stats.wasm"))?;
    assert!(
        module
            .windows(export.len())
            .any(|name| name == export.as_bytes()),
        "{export}"
    );
    Ok(())
}

#[test]
fn sha256sum_accepts_the_checksum() -> Result {
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "tcp_peer_stats.wasm.sha256"]);
    check.current_dir(&*PLAIN);
    process::run("sha256sum", check)?;
    Ok(())
}

#[test]
fn annotations_contain_version_licence_and_revision() -> Result {
    let git = |arguments: &[&str]| -> Result<String> {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(workspace::root());
        Ok(done(&mut git)?.trim().to_owned())
    };
    let images = inspect(PLAIN.join("layout").to_str().ok_or("no UTF-8")?)?;
    let variants: Vec<_> = images.iter().map(|image| &image["variant"]).collect();
    assert_eq!(variants, ["compat", "artifact"]);
    for image in images {
        let about = |key: &str| {
            let key = format!("org.opencontainers.image.{key}");
            image["annotations"][key]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(about("title"), "tcp-peer-stats");
        assert_eq!(about("version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(about("licenses"), "Apache-2.0");
        let revision = about("revision");
        let commit = git(&["rev-parse", "HEAD"])?;
        assert_eq!(revision.trim_end_matches("-dirty"), commit);
        let seconds: u64 = git(&["show", "-s", "--format=%ct"])?.parse()?;
        let created = done(Command::new("date").args(["--date", &about("created"), "+%s"]))?;
        assert_eq!(created.trim(), seconds.to_string());
    }
    Ok(())
}

/// `cargo tree` lists the packages independently of the build.
#[test]
fn the_sbom_lists_the_packages_of_the_module() -> Result {
    let sbom = json(&PLAIN.join("tcp_peer_stats.cdx.json"))?;
    let components = sbom["components"].as_array().ok_or("no components")?;
    let all = components.iter().chain([&sbom["metadata"]["component"]]);
    let listed: BTreeSet<_> = all
        .filter(|component| component["name"] != "rust-std")
        .map(|component| {
            format!("{} v{}", component["name"], component["version"]).replace('"', "")
        })
        .collect();
    let mut tree = Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--package",
        "tcp-peer-stats",
        "--edges",
        "normal,no-proc-macro",
    ]);
    tree.args(["--target", "wasm32-unknown-unknown", "--prefix", "none"]);
    let tree = done(tree.current_dir(workspace::root()))?;
    let words = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    let expected: BTreeSet<_> = tree.lines().filter_map(words).collect();
    assert_eq!(listed, expected);
    assert!(listed.len() > 10, "{listed:?}");
    let hash = &sbom["metadata"]["component"]["hashes"][0]["content"];
    let module = fs::read(PLAIN.join("tcp_peer_stats.wasm"))?;
    assert_eq!(*hash, hex::encode(Sha256::digest(module)));
    Ok(())
}

/// The `subject` of the SBOM is the image, and its tag is that of cosign.
#[test]
fn the_sbom_is_attached_to_each_image() -> Result {
    for image in inspect(PLAIN.join("layout").to_str().ok_or("no UTF-8")?)? {
        let digest = image["manifest_digest"].as_str().ok_or("no digest")?;
        let manifest = companion(&PLAIN, digest, "sbom")?;
        assert_eq!(manifest["artifactType"], "application/vnd.cyclonedx+json");
        assert_eq!(manifest["subject"]["digest"], digest);
        let layer = manifest["layers"][0]["digest"].as_str().ok_or("no layer")?;
        let attached = fs::read(blob(&PLAIN, layer))?;
        assert_eq!(attached, fs::read(PLAIN.join("tcp_peer_stats.cdx.json"))?);
    }
    Ok(())
}

/// `cosign verify --key` does the same: it verifies the signature of the payload's bytes, and
/// compares the digest in the payload.
#[test]
fn openssl_verifies_the_signatures() -> Result {
    let remedy = "Install it (Debian: `apt install openssl`) to run what needs it";
    if available(mesh::tools::required("openssl", remedy))?.is_none() {
        return Ok(());
    }
    let scratch = mesh::Scratch::new("oci-signature")?;
    for image in inspect(SIGNED.join("layout").to_str().ok_or("no UTF-8")?)? {
        assert_eq!(image["has_signature"], true);
        let digest = image["manifest_digest"].as_str().ok_or("no digest")?;
        let manifest = companion(&SIGNED, digest, "sig")?;
        let layer = &manifest["layers"][0];
        let payload = blob(&SIGNED, layer["digest"].as_str().ok_or("no payload")?);
        let text = &layer["annotations"]["dev.cosignproject.cosign/signature"];
        let signature = scratch.path().join("signature");
        fs::write(&signature, text.as_str().ok_or("no signature")?)?;
        let mut decode = Command::new("openssl");
        decode.args(["base64", "-d", "-A", "-in"]).arg(&signature);
        let raw = scratch.path().join("raw");
        decode.arg("-out").arg(&raw);
        process::run("openssl base64", decode)?;
        let mut verify = Command::new("openssl");
        verify
            .args(["dgst", "-sha256", "-verify"])
            .arg(KEY.join("public.pem"));
        verify.arg("-signature").arg(&raw).arg(&payload);
        process::run("openssl dgst", verify)?;
        assert_eq!(
            json(&payload)?["critical"]["image"]["docker-manifest-digest"],
            digest
        );
    }
    Ok(())
}

/// The key that signed, and another one.
#[test]
fn inspect_verifies_the_signatures() -> Result {
    let layout = SIGNED.join("layout");
    let layout = layout.to_str().ok_or("no UTF-8")?;
    let of = |key: &Path| {
        oci([
            "inspect",
            "--verify",
            key.to_str().unwrap_or_default(),
            layout,
        ])
    };
    let key = KEY.join("public.pem");
    let text = done(&mut of(&key))?;
    let expected = format!("signed by {}", key.display());
    assert!(text.trim_end().ends_with(&expected), "{text}");

    let scratch = mesh::Scratch::new("oci-verify")?;
    let other = scratch.path().join("other.pem");
    fs::write(&other, rcgen::KeyPair::generate()?.public_key_pem())?;
    let text = refused(&mut of(&other))?;
    assert!(text.contains("has no valid signature by"), "{text}");
    let unsigned = PLAIN.join("layout");
    let unsigned = unsigned.to_str().ok_or("no UTF-8")?;
    let key = key.to_str().ok_or("no UTF-8")?;
    let text = refused(&mut oci(["inspect", "--verify", key, unsigned]))?;
    assert!(text.contains("has no valid signature by"), "{text}");

    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)?;
    fs::write(&other, p384.public_key_pem())?;
    let text = refused(&mut of(&other))?;
    assert!(text.contains("is not an ECDSA P-256 key"), "{text}");
    Ok(())
}

#[test]
fn an_unusable_key_is_rejected_before_the_build() -> Result {
    let text = refused(&mut oci(["build", "--key", "/nonexistent"]))?;
    assert!(
        text.contains("/nonexistent is not a usable signing key"),
        "{text}"
    );
    Ok(())
}
