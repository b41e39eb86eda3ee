//! The media types that the OCI image specification does not define.

use oci_spec::image::MediaType;

/// A Docker image's manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list, the counterpart of an OCI image index.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A layer of a Docker image.
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// A bare module.
pub(crate) const MODULE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// The runtime configuration of a bare module. Agents do not read it.
pub(crate) const MODULE_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
/// An SBOM.
pub(crate) const CYCLONE_DX: &str = "application/vnd.cyclonedx+json";
/// The payload of a cosign signature.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// The `Accept` header of a request for a manifest. A strict registry serves no media type that is
/// not listed.
pub(crate) fn accepted() -> String {
    [
        MediaType::ImageManifest.as_ref(),
        MediaType::ImageIndex.as_ref(),
        DOCKER_MANIFEST,
        DOCKER_LIST,
    ]
    .join(",")
}
