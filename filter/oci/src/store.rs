//! Where images are: a layout or a registry.

use oci_client::manifest::{OciDescriptor, OciImageManifest};

use crate::error::{Error, Result};
use crate::{digest, media_type};

/// What can be read of a place where images are. What it returns is what its digest says.
pub trait Store {
    /// A manifest by its tag, if there is one.
    ///
    /// # Errors
    /// The place cannot be read, or holds something else than the digest says.
    fn manifest(&self, tag: &str) -> Result<Option<Vec<u8>>>;

    /// A blob that a manifest refers to.
    ///
    /// # Errors
    /// As of [`Store::manifest`], or there is no such blob.
    fn blob(&self, descriptor: &OciDescriptor) -> Result<Vec<u8>>;
}

/// The tag under which cosign and its relatives look for something that belongs to an image.
pub(crate) fn companion(digest: &str, suffix: &str) -> String {
    format!("{}.{suffix}", digest.replace(':', "-"))
}

/// Reads a manifest of an image; `name` is the image's in errors.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<OciImageManifest> {
    serde_json::from_slice(bytes).map_err(|error| Error::NotAnImage {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

/// Describes a blob.
pub(crate) fn describe(media_type: &str, bytes: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: digest::of(bytes),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

/// Whether a tag of a layout is an image's, and not of something that belongs to one.
pub(crate) fn is_image(tag: &str) -> bool {
    !(tag.ends_with(".sig") || tag.ends_with(".sbom"))
}

/// An empty manifest with its media type.
pub(crate) fn manifest() -> OciImageManifest {
    OciImageManifest {
        media_type: Some(media_type::MANIFEST.into()),
        ..OciImageManifest::default()
    }
}
