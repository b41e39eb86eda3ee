//! Signatures for cosign: an ECDSA signature of a small document with the digest of an image.
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
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::{digest, image, media_type, store};

/// The annotation with the signature, on the layer with the signed document.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

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
