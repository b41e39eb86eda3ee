//! From a layout to a registry.

use std::collections::BTreeSet;

use oci_client::manifest::OciDescriptor;

use crate::build::ARTIFACT_SUFFIX;
use crate::error::{Error, Result};
use crate::layout::{Layout, Tagged};
use crate::registry::Registry;
use crate::store::{self, Store};

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its name, with the tag.
    pub name: String,
    /// Its digest.
    pub digest: String,
}

/// Copies what a layout holds into a registry, byte for byte, and returns the images. They get the tag of the registry's
/// reference, or without one the layout's. Signatures and SBOMs come first: no image is ever there without its own.
///
/// `progress` is told how many of how many bytes are there.
///
/// # Errors
/// The layout is corrupted or has no image, the reference names a digest, or the registry does not take it.
pub fn push(
    layout: &Layout,
    registry: &Registry,
    mut progress: impl FnMut(u64, u64),
) -> Result<Vec<Pushed>> {
    layout.images()?;
    registry.takes_tags()?;
    let tagged: Vec<_> = layout.tagged().collect();
    let blobs = blobs(layout, &tagged)?;
    let total = blobs.iter().map(size).sum();
    let mut done = 0;
    progress(done, total);
    for blob in &blobs {
        registry.put_blob(blob, layout.blob(blob)?)?;
        done += size(blob);
        progress(done, total);
    }
    let (images, companions): (Vec<_>, Vec<_>) = tagged
        .into_iter()
        .partition(|each| store::is_image(&each.tag));
    for Tagged { tag, manifest } in &companions {
        registry.put_manifest(tag, &manifest.media_type, layout.blob(manifest)?)?;
    }
    let mut pushed = Vec::new();
    for Tagged { tag, manifest } in &images {
        let tag = registry.tag().map_or_else(
            || tag.clone(),
            |wanted| match tag.ends_with(ARTIFACT_SUFFIX) {
                true => format!("{wanted}{ARTIFACT_SUFFIX}"),
                false => wanted.to_owned(),
            },
        );
        let bytes = layout.blob(manifest)?;
        let found = registry.put_manifest(&tag, &manifest.media_type, bytes)?;
        let name = registry.name(&tag);
        if found != manifest.digest {
            return Err(Error::Replaced {
                name,
                pushed: manifest.digest.clone(),
                found,
            });
        }
        pushed.push(Pushed {
            name,
            digest: found,
        });
    }
    Ok(pushed)
}

/// Everything that the manifests refer to, once.
fn blobs(layout: &Layout, tagged: &[Tagged]) -> Result<Vec<OciDescriptor>> {
    let mut seen = BTreeSet::new();
    let mut blobs = Vec::new();
    for Tagged { tag, manifest } in tagged {
        let manifest = store::parse(tag, &layout.blob(manifest)?)?;
        for blob in manifest.layers.into_iter().chain([manifest.config]) {
            if seen.insert(blob.digest.clone()) {
                blobs.push(blob);
            }
        }
    }
    Ok(blobs)
}

fn size(blob: &OciDescriptor) -> u64 {
    u64::try_from(blob.size).unwrap_or(0)
}
