//! Images that `cargo oci build` does not build.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::command::Result;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub(crate) const MODULE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// The media types of an image, its layer and its index.
pub(crate) const KINDS: [(&str, &str, &str); 2] = [
    (MANIFEST, LAYER, INDEX),
    (DOCKER_MANIFEST, DOCKER_LAYER, DOCKER_LIST),
];

/// The digest of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A module header and 5,000 different bytes.
pub(crate) fn module() -> Vec<u8> {
    let rest = (0..5000_u32).map(|number| (number * 7 / 5) as u8);
    b"\0asm\x01\0\0\0".iter().copied().chain(rest).collect()
}

/// A tar with a file before the module.
pub(crate) fn tar() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, bytes) in [("pad", vec![0; 2048]), ("./plugin.wasm", module())] {
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Adds the platform to an entry of an index.
pub(crate) fn on(mut entry: Value, platform: &str) -> Value {
    let mut parts = platform.split('/');
    let mut fields = json!({ "os": parts.next(), "architecture": parts.next() });
    if let Some(variant) = parts.next() {
        fields["variant"] = json!(variant);
    }
    entry["platform"] = fields;
    entry
}

/// Adds a tag to an entry of a layout's index.
pub(crate) fn tagged(mut entry: Value, tag: &str) -> Value {
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    entry
}

/// Blobs by their digests, and the media types of those that are manifests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) manifests: BTreeMap<String, String>,
}

impl Content {
    /// Adds a blob and returns its descriptor.
    pub(crate) fn put(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        self.blobs.insert(digest.clone(), bytes.to_vec());
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// Adds a manifest or an index that contains its media type.
    pub(crate) fn put_manifest(&mut self, media_type: &str, mut document: Value) -> Value {
        document["schemaVersion"] = json!(2);
        document["mediaType"] = json!(media_type);
        let entry = self.put(media_type, document.to_string().as_bytes());
        let digest = entry["digest"].as_str().unwrap().to_owned();
        self.manifests.insert(digest, media_type.to_owned());
        entry
    }

    /// Adds an image of one layer; `mark` makes its digest unique.
    pub(crate) fn image(
        &mut self,
        media_type: &str,
        layer: &str,
        bytes: &[u8],
        mark: &str,
    ) -> Value {
        let config = self.put("application/vnd.oci.image.config.v1+json", mark.as_bytes());
        let layers = [self.put(layer, bytes)];
        self.put_manifest(media_type, json!({ "config": config, "layers": layers }))
    }

    /// Adds an OCI image with the module.
    pub(crate) fn good(&mut self, mark: &str) -> Value {
        self.image(MANIFEST, LAYER, &gzip(&tar()), mark)
    }

    /// Adds an attestation like that of buildkit.
    pub(crate) fn attestation(&mut self) -> Value {
        let entry = self.image(
            MANIFEST,
            "application/vnd.in-toto+json",
            b"{}",
            "attestation",
        );
        on(entry, "unknown/unknown")
    }

    /// Adds an index.
    pub(crate) fn index(&mut self, media_type: &str, entries: &[Value]) -> Value {
        self.put_manifest(media_type, json!({ "manifests": entries }))
    }

    /// Writes a layout and returns its folder.
    pub(crate) fn layout(&self, dir: &Path, entries: &[Value]) -> Result<String> {
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for (digest, bytes) in &self.blobs {
            fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        fs::write(dir.join("index.json"), index.to_string())?;
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(dir.to_str().ok_or("no UTF-8")?.to_owned())
    }
}
