//! The module that an Istio agent uses from an image: the rules of `pkg/wasm/imagefetcher.go` in
//! Istio.
//!
//! The rules are own code because only Istio implements them, in Go.

use std::fmt::{self, Display, Formatter};

use oci_spec::image::{Descriptor, ImageManifest, MediaType};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::layer::{self, Plugin};
use crate::media_type;
use crate::module::Module;
use crate::store::Store;

/// The maximum size in bytes of an unpacked layer and of a bare module: the default of
/// `ISTIO_WASM_MAX_BINARY_SIZE_BYTES` in the agent.
pub(crate) const MAX_SIZE: u64 = 256 << 20;

/// The variant of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// A Docker image with the module in its last layer.
    Docker,
    /// An OCI image with the module in its last layer.
    Compat,
    /// An OCI artifact of two layers; one of them is the module.
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

/// The variant of an image and the module that an agent uses from it.
pub(crate) fn take(
    name: &str,
    manifest: &ImageManifest,
    store: &impl Store,
) -> Result<(Variant, Module)> {
    let is_docker = *manifest.media_type() == Some(MediaType::from(media_type::DOCKER_MANIFEST));
    let (variant, layer) = match is_docker {
        true => (Variant::Docker, media_type::DOCKER_LAYER.into()),
        false => (Variant::Compat, MediaType::ImageLayerGzip),
    };
    let unpacked = match last_layer(manifest, &layer) {
        Ok(layer) => layer::plugin(&store.blob(layer)?, MAX_SIZE),
        Err(refusal) => Err(refusal),
    };
    let compat = match unpacked {
        Ok(Plugin {
            module,
            damage: None,
        }) => return Ok((variant, Module::new(name, module)?)),
        Ok(Plugin {
            damage: Some(reason),
            ..
        }) => {
            return Err(Error::DamagedLayer {
                name: name.to_owned(),
                reason,
            });
        }
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

/// The reason why an image is not of a variant, for a message.
type Refusal = String;

fn last_layer<'a>(
    manifest: &'a ImageManifest,
    media_type: &MediaType,
) -> Result<&'a Descriptor, Refusal> {
    let layer = manifest.layers().last().ok_or("it has no layer")?;
    let found = layer.media_type();
    if found != media_type {
        return Err(format!("its last layer is {found} and not {media_type}"));
    }
    within_limit("its last layer", layer)
}

fn bare_module(manifest: &ImageManifest) -> Result<&Descriptor, Refusal> {
    let count = manifest.layers().len();
    if count != 2 {
        return Err(format!("its number of layers is {count} instead of 2"));
    }
    let mut layers = manifest.layers().iter();
    let layer = layers
        .find(|layer| layer.media_type().as_ref() == media_type::MODULE)
        .ok_or_else(|| format!("no layer is {}", media_type::MODULE))?;
    within_limit("the module", layer)
}

/// An agent truncates a bare module at the limit without an error, and then Envoy rejects it.
fn within_limit<'a>(what: &str, layer: &'a Descriptor) -> Result<&'a Descriptor, Refusal> {
    match layer.size() {
        0..=MAX_SIZE => Ok(layer),
        size => Err(format!(
            "{what} has {size} bytes, and the limit of an agent is {MAX_SIZE}"
        )),
    }
}
