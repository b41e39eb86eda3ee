//! An Istio agent's pull of an `oci://` URL, implemented from Istio's description and not from the
//! code under test: plain HTTP, no platform, no login.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fixture::Result;

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// The module that an agent passes to Envoy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) variant: &'static str,
    pub(crate) module: Vec<u8>,
    /// The digest of the manifest, in hexadecimal: the agent compares `WasmPlugin.sha256` with it.
    pub(crate) digest: String,
}

/// Fetches `host:port/repository:tag` or `host:port/repository@sha256:…`. Fails if the digest is
/// not the pinned one.
pub(crate) fn fetch(image: &str, pinned: Option<&str>) -> Result<Fetched> {
    let (host, rest) = image.split_once('/').ok_or("no registry")?;
    let (repository, reference) = rest
        .split_once('@')
        .or_else(|| rest.split_once(':'))
        .ok_or("no tag")?;
    let get = |what: &str, reference: &str| -> Result<Vec<u8>> {
        let url = format!("http://{host}/v2/{repository}/{what}/{reference}");
        let mut answer = ureq::get(url).header("Accept", MANIFESTS).call()?;
        Ok(answer.body_mut().read_to_vec()?)
    };
    let bytes = get("manifests", reference)?;
    let digest = hex::encode(Sha256::digest(&bytes));
    if pinned.is_some_and(|pinned| pinned != digest) {
        return Err(format!("the digest is {digest}").into());
    }
    let manifest: Value = serde_json::from_slice(&bytes)?;
    let layers = manifest["layers"].as_array().ok_or("no layers")?;
    let blob = |layer: &Value| -> Result<Vec<u8>> {
        let named = layer["digest"].as_str().ok_or("a layer without digest")?;
        let bytes = get("blobs", named)?;
        let found = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        match found == named {
            true => Ok(bytes),
            false => Err(format!("{named} is {found}").into()),
        }
    };
    let packed = |media_type: &str| -> Result<Vec<u8>> {
        let last = layers.last().ok_or("no layer")?;
        if last["mediaType"] != media_type {
            return Err(format!("the last layer is {}", last["mediaType"]).into());
        }
        plugin(&blob(last)?)
    };
    let bare = || -> Result<Vec<u8>> {
        let media_type = "application/vnd.module.wasm.content.layer.v1+wasm";
        match &layers[..] {
            [first, _] if first["mediaType"] == media_type => blob(first),
            [_, second] if second["mediaType"] == media_type => blob(second),
            _ => Err("no two layers with a module".into()),
        }
    };
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let (variant, module) = if manifest["mediaType"] == docker {
        let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
        ("docker", packed(layer)?)
    } else {
        match packed("application/vnd.oci.image.layer.v1.tar+gzip") {
            Ok(module) => ("compat", module),
            Err(compat) => (
                "artifact",
                bare().map_err(|artifact| format!("{compat}; {artifact}"))?,
            ),
        }
    };
    if !module.starts_with(b"\0asm") || module.len() < 8 {
        return Err("no WebAssembly module".into());
    }
    Ok(Fetched {
        variant,
        module,
        digest,
    })
}

/// The first file of a tar.gz whose base name is `plugin.wasm`. A tar is blocks of 512 bytes: a
/// header, then the file.
fn plugin(layer: &[u8]) -> Result<Vec<u8>> {
    let mut tar = Vec::new();
    GzDecoder::new(layer).read_to_end(&mut tar)?;
    let mut rest = &tar[..];
    while let Some((header, after)) = rest.split_at_checked(512) {
        let text = |range: std::ops::Range<usize>| {
            let field = String::from_utf8_lossy(&header[range]).into_owned();
            field.trim_end_matches(['\0', ' ']).to_owned()
        };
        let name = text(0..100);
        if name.is_empty() {
            break;
        }
        let size = usize::from_str_radix(&text(124..136), 8)?;
        let (file, after) = after
            .split_at_checked(size.next_multiple_of(512))
            .ok_or("a truncated tar")?;
        if name.rsplit('/').next() == Some("plugin.wasm") {
            return Ok(file[..size].to_vec());
        }
        rest = after;
    }
    Err("no plugin.wasm".into())
}
