//! The agent's view of an image.

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
    /// Its variant.
    pub variant: Variant,
    /// The manifest's digest: `sha256` of a `WasmPlugin` with an `oci://` URL is compared with it.
    pub manifest_digest: String,
    /// The digest of the index, if the name refers to an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_digest: Option<String>,
    /// Its module.
    pub module: InspectedModule,
    /// Whether there is a signature, which [`crate::verify`] verifies.
    pub has_signature: bool,
    /// Whether there is an SBOM.
    pub has_sbom: bool,
    /// The annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
}

/// The module of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectedModule {
    /// Its size in bytes.
    pub size: usize,
    /// Its SHA-256 in hexadecimal: `sha256` of Envoy's `remote` code source is compared with it.
    pub sha256: String,
}

/// Inspects the image that an agent would use for a tag or digest; `name` is the image in the
/// result and in errors.
///
/// # Errors
/// The image does not exist, is corrupted, or an agent would find no module in it.
pub fn inspect(name: &str, reference: &str, store: &impl Store) -> Result<Inspected> {
    let image = index::resolve(name, reference, store)?;
    let (variant, module) = agent::take(name, &image.manifest, store)?;
    // A signature or SBOM of an index applies to each of its images.
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
