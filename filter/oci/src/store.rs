//! Stores of images: a layout or a registry.

use oci_spec::image::{
    Descriptor, ImageManifest, ImageManifestBuilder, MediaType, SCHEMA_VERSION, Sha256Digest,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::{digest, media_type};

/// A store of images. Results are checked against their digests.
pub trait Store {
    /// A manifest or an index by its tag or digest, if there is one.
    ///
    /// # Errors
    /// The store cannot be read, or the content does not match the digest.
    fn manifest(&self, reference: &str) -> Result<Option<Manifest>>;

    /// A blob that a manifest refers to.
    ///
    /// # Errors
    /// As [`Store::manifest`], or there is no such blob, or its size differs from the descriptor's.
    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>>;
}

/// The manifest of an image, or an index of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The document.
    pub bytes: Vec<u8>,
    /// The media type in the response or in the index that lists it.
    pub media_type: Option<MediaType>,
}

/// The fields that show the kind of a document without a known media type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<MediaType>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Whether it is an index: by its media type, as in an agent, or without a known one by its
    /// fields.
    #[must_use]
    pub fn is_index(&self) -> bool {
        let by_type = |media_type: &Option<MediaType>| match media_type.as_ref()? {
            MediaType::ImageIndex => Some(true),
            MediaType::ImageManifest => Some(false),
            other => match other.as_ref() {
                media_type::DOCKER_LIST => Some(true),
                media_type::DOCKER_MANIFEST => Some(false),
                _ => None,
            },
        };
        by_type(&self.media_type).unwrap_or_else(|| {
            let shape: Option<Shape> = serde_json::from_slice(&self.bytes).ok();
            shape.is_some_and(|shape| {
                by_type(&shape.media_type).unwrap_or_else(|| shape.manifests.is_some())
            })
        })
    }
}

/// The tag of a signature, an SBOM or an attestation of an image, by the convention of cosign.
pub(crate) fn companion(digest: &str, suffix: &str) -> String {
    format!("{}.{suffix}", digest.replace(':', "-"))
}

/// Whether a tag is of a signature, an SBOM, an attestation or the list of referrers of an image.
pub(crate) fn is_companion(tag: &str) -> bool {
    let digits = tag.strip_prefix("sha256-");
    let digits = digits.map(|rest| rest.split_once('.').map_or(rest, |(digits, _)| digits));
    digits.is_some_and(|digits| digits.parse::<Sha256Digest>().is_ok())
}

/// Parses a manifest or an index; `name` is the image in errors.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::NotAnImage {
        name: name.to_owned(),
        reason: error.to_string(),
    })
}

/// Describes a blob.
pub(crate) fn describe(media_type: impl Into<MediaType>, bytes: &[u8]) -> Result<Descriptor> {
    let digest = digest::parse(&digest::of(bytes))?;
    Ok(Descriptor::new(
        media_type.into(),
        bytes.len() as u64,
        digest,
    ))
}

/// A manifest of these blobs.
pub(crate) fn manifest(config: Descriptor, layers: Vec<Descriptor>) -> Result<ImageManifest> {
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers);
    Ok(manifest.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_companion_has_the_digest_of_its_image() {
        let digits = "0".repeat(64);
        for tag in ["", ".sig", ".sbom", ".att"] {
            assert!(is_companion(&format!("sha256-{digits}{tag}")), "{tag}");
        }
        for tag in ["1.0.sig", "latest", "sha256-0.sig", &digits] {
            assert!(!is_companion(tag), "{tag}");
        }
    }

    #[test]
    fn an_index_is_recognized_by_its_media_type_or_else_by_its_fields() {
        let index = "application/vnd.oci.image.index.v1+json";
        let list = "application/vnd.docker.distribution.manifest.list.v2+json";
        let image = "application/vnd.oci.image.manifest.v1+json";
        let named = |media_type| format!(r#"{{"mediaType":"{media_type}"}}"#);
        for (media_type, text, is_index) in [
            (Some(index), "{}".to_owned(), true),
            (Some(list), "{}".to_owned(), true),
            (Some(image), r#"{"manifests":[]}"#.to_owned(), false),
            (Some("application/json"), named(index), true),
            (Some("application/json"), named(image), false),
            (None, named(list), true),
            (None, r#"{"manifests":[]}"#.to_owned(), true),
            (None, r#"{"layers":[]}"#.to_owned(), false),
            (None, "no JSON".to_owned(), false),
        ] {
            let manifest = Manifest {
                bytes: text.clone().into_bytes(),
                media_type: media_type.map(MediaType::from),
            };
            assert_eq!(manifest.is_index(), is_index, "{media_type:?} {text}");
        }
    }
}
