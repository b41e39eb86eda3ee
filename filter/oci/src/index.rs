//! Image indexes and Docker manifest lists: the image that an Istio agent selects.
//!
//! The rules are those of go-containerregistry, the agent's client: it selects the first entry for
//! linux/amd64, independent of the agent's own platform. An entry without a platform counts as
//! linux/amd64. An entry may refer to another index.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, Platform};

use crate::digest;
use crate::error::{Error, Result};
use crate::store::{self, Store};

/// The maximum depth of nested indexes. An agent has no limit; real images have one level, rarely
/// two.
const MAX_DEPTH: usize = 8;

/// An image, resolved through the indexes that contain it.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) manifest: ImageManifest,
    /// The digest of the manifest.
    pub(crate) digest: String,
    /// The digests of the indexes, the outermost first.
    pub(crate) indexes: Vec<String>,
}

/// Finds the image that an agent selects for a tag or digest; `name` is the image in errors.
pub(crate) fn resolve(name: &str, reference: &str, store: &impl Store) -> Result<Resolved> {
    let missing = |name: &str| Error::NotFound {
        name: name.to_owned(),
    };
    let mut found = store.manifest(reference)?.ok_or_else(|| missing(name))?;
    let mut indexes = Vec::new();
    while found.is_index() {
        indexes.push(digest::of(&found.bytes));
        check_depth(name, indexes.len())?;
        let index: ImageIndex = store::parse(name, &found.bytes)?;
        let entry = linux_amd64(name, index.manifests())?;
        let child = store.manifest(entry.digest().as_ref())?;
        found = child.ok_or_else(|| missing(&format!("{} of the index {name}", entry.digest())))?;
        found.media_type = Some(entry.media_type().clone());
    }
    Ok(Resolved {
        manifest: store::parse(name, &found.bytes)?,
        digest: digest::of(&found.bytes),
        indexes,
    })
}

/// Checks the number of nested indexes; `name` is the image in errors.
pub(crate) fn check_depth(name: &str, depth: usize) -> Result<()> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(Error::NotAnImage {
        name: name.to_owned(),
        reason: format!("more than {MAX_DEPTH} indexes are nested"),
    })
}

/// The entry of an index that an agent selects; `name` is the index in the error.
pub(crate) fn linux_amd64<'a>(
    name: &str,
    entries: impl IntoIterator<Item = &'a Descriptor> + Clone,
) -> Result<&'a Descriptor> {
    let is_taken = |entry: &&Descriptor| {
        let platform = entry.platform().as_ref();
        platform.is_none_or(|platform| os_and_architecture(platform) == "linux/amd64")
    };
    let taken = entries.clone().into_iter().find(is_taken);
    taken.ok_or_else(|| {
        let others = entries.into_iter().filter(|entry| !is_attestation(entry));
        let others: Vec<_> = others
            .filter_map(|entry| entry.platform().as_ref())
            .collect();
        Error::NoPlatform {
            name: name.to_owned(),
            found: match others.is_empty() {
                true => "no image".into(),
                false => others
                    .into_iter()
                    .map(with_variant)
                    .collect::<Vec<_>>()
                    .join(", "),
            },
        }
    })
}

/// Whether an entry is an attestation by buildkit instead of an image.
pub(crate) fn is_attestation(entry: &Descriptor) -> bool {
    let platform = entry.platform().as_ref();
    platform.is_some_and(|platform| os_and_architecture(platform) == "unknown/unknown")
}

fn os_and_architecture(platform: &Platform) -> String {
    format!("{}/{}", platform.os(), platform.architecture())
}

fn with_variant(platform: &Platform) -> String {
    let name = os_and_architecture(platform);
    match platform.variant() {
        Some(variant) => format!("{name}/{variant}"),
        None => name,
    }
}
