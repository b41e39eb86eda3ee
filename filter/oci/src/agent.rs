//! Which variant of an image an Istio agent takes, and what it takes from it: the rules of `pkg/wasm/imagefetcher.go` in Istio.

use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use serde::Serialize;
use tar::Archive;

use crate::error::{Error, Result};
use crate::media_type;
use crate::module::Module;
use crate::store::Store;

/// The file in a layer that is the module, in any folder.
pub(crate) const PLUGIN: &str = "plugin.wasm";
/// What an agent unpacks at most, in bytes (`ISTIO_WASM_MAX_BINARY_SIZE_BYTES`).
const MAX_SIZE: u64 = 256 << 20;

/// As what an agent takes an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// A Docker image whose last layer has the module.
    Docker,
    /// An OCI image whose last layer has the module.
    Compat,
    /// Two layers, one of which is the module.
    Artifact,
}

impl Display for Variant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Compat => "compat",
            Self::Artifact => "artifact",
        })
    }
}

/// What an agent takes from an image.
pub(crate) fn take(
    name: &str,
    manifest: &OciImageManifest,
    store: &impl Store,
) -> Result<(Variant, Module)> {
    let is_docker = manifest.media_type.as_deref() == Some(media_type::DOCKER_MANIFEST);
    let (variant, layer) = match is_docker {
        true => (Variant::Docker, media_type::DOCKER_LAYER),
        false => (Variant::Compat, media_type::LAYER),
    };
    let unpacked = match last_layer(manifest, layer) {
        Ok(layer) => plugin(&store.blob(layer)?),
        Err(refusal) => Err(refusal),
    };
    let compat = match unpacked {
        Ok(bytes) => return Ok((variant, Module::new(name, bytes)?)),
        Err(refusal) => refusal,
    };
    let bare = match is_docker {
        true => Err("it is a Docker image".into()),
        false => bare_module(manifest),
    };
    match bare {
        Ok(layer) => Ok((Variant::Artifact, Module::new(name, store.blob(layer)?)?)),
        Err(artifact) => Err(Error::NoModule {
            name: name.to_owned(),
            compat,
            artifact,
        }),
    }
}

/// Why a variant is not taken, for people.
type Refusal = String;

fn last_layer<'a>(
    manifest: &'a OciImageManifest,
    media_type: &str,
) -> Result<&'a OciDescriptor, Refusal> {
    let layer = manifest.layers.last().ok_or("it has no layer")?;
    if layer.media_type != media_type {
        let found = &layer.media_type;
        return Err(format!("its last layer is {found} and not {media_type}"));
    }
    Ok(layer)
}

fn plugin(layer: &[u8]) -> Result<Vec<u8>, Refusal> {
    let unreadable = |error| format!("its last layer is no tar.gz: {error}");
    let mut archive = Archive::new(GzDecoder::new(layer).take(MAX_SIZE));
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path_bytes();
        let path = String::from_utf8_lossy(&path);
        let is_plugin = Path::new(&*path).file_name() == Some(OsStr::new(PLUGIN));
        if is_plugin {
            let mut module = Vec::new();
            entry.read_to_end(&mut module).map_err(unreadable)?;
            return Ok(module);
        }
    }
    Err(format!("its last layer has no {PLUGIN}"))
}

fn bare_module(manifest: &OciImageManifest) -> Result<&OciDescriptor, Refusal> {
    let count = manifest.layers.len();
    if count != 2 {
        return Err(format!("it has not two layers, but {count}"));
    }
    let mut layers = manifest.layers.iter();
    layers
        .find(|layer| layer.media_type == media_type::MODULE)
        .ok_or_else(|| format!("no layer is {}", media_type::MODULE))
}
