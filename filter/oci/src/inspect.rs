//! What an agent would make of an image.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::agent::{self, Variant};
use crate::digest;
use crate::error::{Error, Result};
use crate::store::{self, Store};

/// An image as an agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspected {
    /// Its name.
    pub name: String,
    /// As what an agent takes it.
    pub variant: Variant,
    /// The manifest's digest, which is what a `WasmPlugin` with an `oci://` URL compares with its `sha256`.
    pub manifest_digest: String,
    /// The module in it.
    pub module: InspectedModule,
    /// Whether there is a signature. It was not verified.
    pub has_signature: bool,
    /// Whether there is an SBOM.
    pub has_sbom: bool,
    /// What the image says of itself.
    pub annotations: BTreeMap<String, String>,
}

/// The module of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectedModule {
    /// Its size in bytes.
    pub size: usize,
    /// Its SHA-256 in hexadecimal, which is what Envoy's `remote` code source compares.
    pub sha256: String,
}

/// Says what an agent would take from the image of a tag; `name` is what to call it.
///
/// # Errors
/// It is not there, is corrupted, or an agent would take nothing from it.
pub fn inspect(name: &str, tag: &str, store: &impl Store) -> Result<Inspected> {
    let bytes = store.manifest(tag)?.ok_or_else(|| Error::NotFound {
        name: name.to_owned(),
    })?;
    let manifest = store::parse(name, &bytes)?;
    let digest = digest::of(&bytes);
    let (variant, module) = agent::take(name, &manifest, store)?;
    let has = |suffix| -> Result<bool> {
        let companion = store.manifest(&store::companion(&digest, suffix))?;
        Ok(companion.is_some())
    };
    Ok(Inspected {
        name: name.to_owned(),
        variant,
        has_signature: has("sig")?,
        has_sbom: has("sbom")?,
        module: InspectedModule {
            size: module.bytes().len(),
            sha256: module.sha256(),
        },
        annotations: manifest.annotations.unwrap_or_default(),
        manifest_digest: digest,
    })
}
