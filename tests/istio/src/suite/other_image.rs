//! An image with a module that is another one to Envoy, and does the same.

use std::fs;
use std::path::{Path, PathBuf};

use mesh::error::Context;
use mesh::variant;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::dump::{items, text};
use crate::error::{Error, Result};

const NAME: &str = "/annotations/org.opencontainers.image.ref.name";
const TITLE: &str = "/annotations/org.opencontainers.image.title";
const PLUGIN: &str = "plugin.wasm";

/// Writes the layout of the image, from the artifact in the layout of `cargo oci build`.
pub(super) fn create(built: &Path, folder: &Path) -> Result<PathBuf> {
    let index: Value = parse(&read(&built.join("index.json"))?)?;
    let is_artifact =
        |image: &&Value| text(image, NAME).is_some_and(|tag| tag.ends_with("-artifact"));
    let image = items(&index, "/manifests").find(is_artifact);
    let mut image = image
        .ok_or_else(|| incomplete("it has no artifact"))?
        .clone();
    let mut manifest: Value = parse(&read(&blob(built, &image)?)?)?;

    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).context(|| format!("cannot create {}", blobs.display()))?;
    let put = |descriptor: &mut Value, bytes: &[u8]| -> Result<()> {
        let digest = hex::encode(Sha256::digest(bytes));
        set(descriptor, "digest", json!(format!("sha256:{digest}")));
        set(descriptor, "size", json!(bytes.len()));
        write(&blobs.join(digest), bytes)
    };
    for place in ["/config", "/layers/0", "/layers/1"] {
        let descriptor = manifest.pointer_mut(place);
        let descriptor = descriptor.ok_or_else(|| incomplete("the artifact has no two layers"))?;
        let bytes = read(&blob(built, descriptor)?)?;
        let is_module = text(descriptor, TITLE).as_deref() == Some(PLUGIN);
        let bytes = if is_module {
            variant::other(&bytes)
        } else {
            bytes
        };
        put(descriptor, &bytes)?;
    }
    put(&mut image, manifest.to_string().as_bytes())?;
    // The push takes its tag from the reference.
    let name = json!({ "org.opencontainers.image.ref.name": "other" });
    set(&mut image, "annotations", name);
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [image] });
    write(&folder.join("index.json"), index.to_string().as_bytes())?;
    write(
        &folder.join("oci-layout"),
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    Ok(folder.to_owned())
}

fn set(descriptor: &mut Value, name: &str, value: Value) {
    if let Some(all) = descriptor.as_object_mut() {
        all.insert(name.to_owned(), value);
    }
}

/// The file of a blob.
fn blob(layout: &Path, descriptor: &Value) -> Result<PathBuf> {
    let digest = text(descriptor, "/digest");
    let digest = digest.as_deref().and_then(|it| it.strip_prefix("sha256:"));
    let digest = digest.ok_or_else(|| incomplete("a descriptor has no digest"))?;
    Ok(layout.join("blobs/sha256").join(digest))
}

fn incomplete(reason: &str) -> Error {
    Error::object("the image's layout", reason)
}

fn parse(bytes: &[u8]) -> Result<Value> {
    Ok(serde_json::from_slice(bytes)
        .map_err(|error| mesh::Error::malformed("the image's layout", error))?)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    Ok(fs::read(file).context(|| format!("cannot read {}", file.display()))?)
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(file, bytes).context(|| format!("cannot write {}", file.display()))?)
}
