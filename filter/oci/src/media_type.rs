//! The media types of what is built, and of what an agent takes.

/// An OCI image's manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image's configuration.
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The configuration of what is no image: `{}`.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A layer of an OCI image, the only kind that an agent reads.
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A Docker image's manifest.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An OCI image index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's manifest list, its kind of index.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A layer of a Docker image.
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// A bare module.
pub(crate) const MODULE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// What a host shall know of a bare module. Agents do not read it.
pub(crate) const MODULE_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
/// An SBOM.
pub(crate) const CYCLONE_DX: &str = "application/vnd.cyclonedx+json";
/// What cosign signs: the payload of a signature.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// What is asked for when a manifest is: a strict registry serves nothing else than what it is asked for.
pub(crate) const ACCEPTED: [&str; 4] = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST];
