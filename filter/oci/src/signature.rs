//! Signatures for cosign: an ECDSA signature of a small document with the digest of an image.
//!
//! [`verify`] does what `cosign verify --key --insecure-ignore-tlog` does: it looks for a signature
//! of the document by the key, and compares the digest in the document.
//!
//! This is own code because the crate `sigstore` (0.15, feature `cosign`) adds 113 crates and
//! pushes signatures to a registry instead of a layout.

use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use oci_spec::image::{Arch, ImageManifest, MediaType, Os};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::store::{self, Store};
use crate::{digest, image, index, media_type};

/// The annotation with the signature, on the layer with the signed document.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// The algorithms of an ECDSA P-256 key in front of its point (RFC 5480).
const P256: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
    \x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

/// A private key.
pub struct Key {
    pair: EcdsaKeyPair,
    path: PathBuf,
}

impl Debug for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Reads an ECDSA P-256 key in PKCS#8, PEM.
    ///
    /// # Errors
    /// [`Error::Key`]: the file cannot be read or has another kind of key, such as one that cosign
    /// encrypted.
    pub fn read(path: &Path) -> Result<Self> {
        let random = SystemRandom::new();
        let unusable = |reason: String| Error::Key {
            path: path.to_owned(),
            reason,
        };
        let key =
            PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| unusable(error.to_string()))?;
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.secret_pkcs8_der(), &random)
            .map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            pair,
            path: path.to_owned(),
        })
    }

    fn sign(&self, payload: &[u8]) -> Result<String> {
        let signature = self.pair.sign(&SystemRandom::new(), payload);
        let signature = signature.map_err(|error| Error::Key {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        Ok(BASE64_STANDARD.encode(signature))
    }
}

/// A public key.
#[derive(Clone, Debug)]
pub struct PublicKey {
    point: Vec<u8>,
    path: PathBuf,
}

impl PublicKey {
    /// Reads an ECDSA P-256 key in PEM.
    ///
    /// # Errors
    /// [`Error::PublicKey`]: the file cannot be read or has another kind of key.
    pub fn read(path: &Path) -> Result<Self> {
        let unusable = |reason: String| Error::PublicKey {
            path: path.to_owned(),
            reason,
        };
        let key = SubjectPublicKeyInfoDer::from_pem_file(path)
            .map_err(|error| unusable(error.to_string()))?;
        let point = key
            .strip_prefix(P256)
            .ok_or_else(|| unusable("it is not an ECDSA P-256 key".to_owned()))?;
        Ok(Self {
            point: point.to_owned(),
            path: path.to_owned(),
        })
    }

    fn has_signed(&self, payload: &[u8], signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        let raw = BASE64_STANDARD.decode(signature);
        raw.is_ok_and(|raw| key.verify(payload, &raw).is_ok())
    }
}

/// The part of a signed document that names the image.
#[derive(Deserialize)]
struct Document {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Signed,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Checks that the image that an agent would use for a tag or digest, or an index with it, has a
/// signature by this key; `name` is the image in errors.
///
/// # Errors
/// [`Error::NotSigned`], or as [`crate::inspect`].
pub fn verify(name: &str, reference: &str, store: &impl Store, key: &PublicKey) -> Result<()> {
    let image = index::resolve(name, reference, store)?;
    for digest in image.indexes.iter().chain([&image.digest]) {
        let Some(companion) = store.manifest(&store::companion(digest, "sig"))? else {
            continue;
        };
        let signatures: ImageManifest = store::parse(name, &companion.bytes)?;
        for layer in signatures.layers() {
            let annotations = layer.annotations().as_ref();
            let signature = annotations.and_then(|annotations| annotations.get(SIGNATURE));
            let Some(signature) = signature else {
                continue;
            };
            let payload = store.blob(layer)?;
            if !key.has_signed(&payload, signature) {
                continue;
            }
            let document: Option<Document> = serde_json::from_slice(&payload).ok();
            if document.is_some_and(|document| document.critical.image.digest == *digest) {
                return Ok(());
            }
        }
    }
    Err(Error::NotSigned {
        name: name.to_owned(),
        digest: image.digest,
        key: key.path.clone(),
    })
}

/// The signature of the image with this digest, as an image in the format of cosign. It names no
/// repository, so that it stays valid in a copy of the image.
pub(crate) fn sign(layout: &Layout, key: &Key, digest: &str) -> Result<ImageManifest> {
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": "" },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    let payload = payload.to_string().into_bytes();
    let platform = (Arch::Other(String::new()), Os::Other(String::new()));
    let config = image::configuration(platform, digest::of(&payload));
    let mut layer = layout.put(media_type::SIMPLE_SIGNING, &payload)?;
    let signature = (SIGNATURE.to_owned(), key.sign(&payload)?);
    layer.set_annotations(Some(HashMap::from([signature])));
    store::manifest(
        layout.put_json(MediaType::ImageConfig, &config)?,
        vec![layer],
    )
}
