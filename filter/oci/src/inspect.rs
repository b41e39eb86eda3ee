//! What an agent would make of an image.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::agent::{self, Variant};
use crate::error::Result;
use crate::index;
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
    /// The digest of the index that the name stands for, if it does not stand for the image itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_digest: Option<String>,
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

/// Says what an agent would take by a tag or digest; `name` is what to call it.
///
/// # Errors
/// It is not there, is corrupted, or an agent would take nothing from it.
pub fn inspect(name: &str, reference: &str, store: &impl Store) -> Result<Inspected> {
    let image = index::resolve(name, reference, store)?;
    let (variant, module) = agent::take(name, &image.manifest, store)?;
    // What belongs to the index belongs to each of its images.
    let has = |suffix| -> Result<bool> {
        for digest in image.indexes.iter().chain([&image.digest]) {
            if store.manifest(&store::companion(digest, suffix))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
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
        index_digest: image.indexes.first().cloned(),
        annotations: image
            .manifest
            .annotations()
            .clone()
            .into_iter()
            .flatten()
            .collect(),
        manifest_digest: image.digest,
    })
}
