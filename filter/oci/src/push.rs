//! Copies a layout into a registry.

use std::collections::{BTreeMap, BTreeSet};

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use crate::build::ARTIFACT_SUFFIX;
use crate::error::{Error, Result};
use crate::index;
use crate::inspect::inspect;
use crate::layout::{self, Layout};
use crate::registry::Registry;
use crate::store::{self, Manifest, Store};

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its name, with the tag.
    pub name: String,
    /// Its digest.
    pub digest: String,
}

/// The blobs and manifests to which manifests refer, each once.
#[derive(Default)]
struct Contents {
    blobs: Vec<Descriptor>,
    /// The manifests that indexes list, each before its index.
    manifests: Vec<Descriptor>,
    seen: BTreeSet<String>,
}

/// Copies a layout into a registry, byte for byte, and returns the images. They get the tag of the
/// registry's reference, or without one their tag in the layout. Signatures and SBOMs are pushed
/// first: no image is visible without its own.
///
/// `progress` is called with the number of uploaded bytes and of all bytes.
///
/// # Errors
/// The layout is corrupted or has no image, an agent would reject an image ([`inspect`]), the
/// images would get the same tag or none, the reference has a digest, or the registry rejects the
/// upload.
pub fn push(
    layout: &Layout,
    registry: &Registry,
    mut progress: impl FnMut(u64, u64),
) -> Result<Vec<Pushed>> {
    let images = layout.images()?;
    registry.check_writable()?;
    let images = with_tags(images, registry)?;
    for image in images.values() {
        let reference = layout::reference(image);
        inspect(reference, reference, layout)?;
    }
    let companions = layout.companions();
    let mut contents = Contents::default();
    for listed in images.values().chain(&companions) {
        contents.add(layout, listed, 0)?;
    }
    let total = contents.blobs.iter().map(Descriptor::size).sum();
    let mut done = 0;
    progress(done, total);
    for blob in &contents.blobs {
        registry.put_blob(blob, layout.blob(blob)?)?;
        done += blob.size();
        progress(done, total);
    }
    let put = |reference: &str, manifest: &Descriptor| {
        let bytes = layout.blob(manifest)?;
        let found = registry.put_manifest(reference, manifest.media_type().as_ref(), bytes)?;
        let name = registry.name(reference);
        if found == manifest.digest().as_ref() {
            return Ok(Pushed {
                name,
                digest: found,
            });
        }
        Err(Error::Replaced {
            name,
            pushed: manifest.digest().to_string(),
            found,
        })
    };
    for manifest in &contents.manifests {
        put(manifest.digest().as_ref(), manifest)?;
    }
    for companion in &companions {
        put(layout::reference(companion), companion)?;
    }
    let images = images.iter();
    images.map(|(tag, image)| put(tag, image)).collect()
}

/// The images by their tags in the registry.
fn with_tags<'a>(
    images: Vec<&'a Descriptor>,
    registry: &Registry,
) -> Result<BTreeMap<String, &'a Descriptor>> {
    let names: Vec<_> = images.iter().copied().map(layout::reference).collect();
    let mut tagged = BTreeMap::new();
    for image in images {
        let own = layout::tag(image);
        let is_artifact = own.is_some_and(|tag| tag.ends_with(ARTIFACT_SUFFIX));
        let tag = match (registry.tag(), own) {
            (Some(wanted), _) if is_artifact => format!("{wanted}{ARTIFACT_SUFFIX}"),
            (Some(wanted), _) => wanted.to_owned(),
            (None, Some(own)) if !own.contains(['/', ':']) => own.to_owned(),
            (None, _) => {
                return Err(registry.unusable(&format!(
                    "the layout's image {} has no tag that a registry accepts, so the reference must name one",
                    layout::reference(image)
                )));
            }
        };
        if tagged.insert(tag.clone(), image).is_some() {
            let names = names.join(", ");
            return Err(registry.unusable(&format!(
                "the layout has several images ({names}), and more than one would get the tag {tag}: leave the tag out to keep their own"
            )));
        }
    }
    Ok(tagged)
}

impl Contents {
    /// Adds the blobs and manifests of a manifest that is in `depth` indexes.
    fn add(&mut self, layout: &Layout, manifest: &Descriptor, depth: usize) -> Result<()> {
        let name = manifest.digest().as_ref();
        index::check_depth(name, depth)?;
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let document = Manifest {
            bytes: layout.blob(manifest)?,
            media_type: Some(manifest.media_type().clone()),
        };
        if document.is_index() {
            let index: ImageIndex = store::parse(name, &document.bytes)?;
            for child in index.manifests() {
                self.add(layout, child, depth + 1)?;
                self.manifests.push(child.clone());
            }
            return Ok(());
        }
        let manifest: ImageManifest = store::parse(name, &document.bytes)?;
        for blob in manifest.layers().iter().chain([manifest.config()]) {
            if self.seen.insert(blob.digest().to_string()) {
                self.blobs.push(blob.clone());
            }
        }
        Ok(())
    }
}
