//! The errors of this crate. Every message has the object of the error and, if there is one, the
//! remedy.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use oci_spec::OciSpecError;

/// The result of the functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of building, pushing or reading an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An I/O operation failed.
    #[error("{what}: {source}")]
    Io {
        /// The operation, with its path.
        what: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// Cargo failed to build the filter or to list its packages.
    #[error("`{command}` failed: {reason}")]
    Cargo {
        /// The command.
        command: String,
        /// The error, unless cargo printed it.
        reason: String,
    },
    /// A signing key cannot be used.
    #[error(
        "{path} is not a usable signing key: {reason}. It must be an unencrypted ECDSA P-256 key as PKCS#8 in PEM; `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {path}` creates one", path = path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A key for signatures cannot be used.
    #[error(
        "{path} is not a usable public key: {reason}. It must be an ECDSA P-256 key in PEM; `openssl pkey -in KEY -pubout` and cosign write one", path = path.display()
    )]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// An image has no signature by a key.
    #[error("{name} ({digest}) has no valid signature by {key}", key = key.display())]
    NotSigned {
        /// The image.
        name: String,
        /// Its digest.
        digest: String,
        /// The file of the key.
        key: PathBuf,
    },
    /// A file is not a WebAssembly module.
    #[error(
        "{what} is not a WebAssembly module: its {size} bytes do not start with the WebAssembly header"
    )]
    NotWasm {
        /// The file, or the image that has it.
        what: String,
        /// Its size in bytes.
        size: usize,
    },
    /// A folder is not an OCI image layout with an image.
    #[error("{path} is not an OCI image layout with an image: {reason}. `cargo oci build` creates one", path = path.display())]
    NotALayout {
        /// The folder.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A document that is written violates the OCI image specification.
    #[error("cannot write a document of the OCI image specification: {0}")]
    Document(#[from] OciSpecError),
    /// A document is not the manifest of an image.
    #[error("{name} is not an image: {reason}")]
    NotAnImage {
        /// The image.
        name: String,
        /// The error in the manifest.
        reason: String,
    },
    /// An image has no module by the rules of an agent.
    #[error(
        "an Istio agent finds no module in {name}: as a compat image, {compat}; as an artifact, {artifact}"
    )]
    NoModule {
        /// The image.
        name: String,
        /// The reason why it is not a variant with a tar.gz layer.
        compat: String,
        /// The reason why it is not the variant with a bare module.
        artifact: String,
    },
    /// An index has no image for the platform that an agent selects.
    #[error(
        "{name} is an index without linux/amd64: it has {found}. An Istio agent selects linux/amd64 on every platform. A module is the same for all platforms: build one image without an index"
    )]
    NoPlatform {
        /// The index.
        name: String,
        /// The platforms that it has.
        found: String,
    },
    /// A layer is a damaged gzip stream, although the module in it is complete.
    #[error(
        "the last layer of {name} is damaged after the module: {reason}. An Istio agent does not read that far, but other tools reject the layer: build it again"
    )]
    DamagedLayer {
        /// The image.
        name: String,
        /// The reason.
        reason: String,
    },
    /// A digest is not a SHA-256 digest.
    #[error("{digest} is not a SHA-256 digest, and an Istio agent supports no other")]
    Digest {
        /// The digest.
        digest: String,
    },
    /// Content does not match its digest or its size.
    #[error("{what} is corrupted: {reason}. Build or push it again")]
    Corrupted {
        /// The file, or the blob or manifest in a registry.
        what: String,
        /// The expected and the actual digest or size.
        reason: String,
    },
    /// An argument is neither a folder nor a reference to an image.
    #[error(
        "there is no folder {argument}, and a reference to an image needs a registry or a tag, such as docker.io/team/name or team/name:tag"
    )]
    NoFolder {
        /// The argument.
        argument: String,
    },
    /// An argument without a tag was read as an image, which cannot be pulled.
    #[error(
        "{source}. There is no folder {argument}: it was read as an image of the registry {registry}"
    )]
    TakenForImage {
        /// The argument.
        argument: String,
        /// Host and port.
        registry: String,
        /// The error of the image.
        source: Box<Self>,
    },
    /// A reference to an image is invalid.
    #[error(
        "{reference} is not an image reference: {reason}. An example is registry.example.com/team/name:tag"
    )]
    Reference {
        /// The reference.
        reference: String,
        /// The reason.
        reason: String,
    },
    /// A registry does not respond in the expected protocol.
    #[error(
        "the registry {registry} cannot be reached: {reason}. Loopback addresses are on plain HTTP and all others on HTTPS, unless --insecure is set"
    )]
    Unreachable {
        /// Host and port.
        registry: String,
        /// The reason.
        reason: String,
    },
    /// A registry rejects the credentials.
    #[error(
        "the registry {registry} does not permit {who} this access to {name}. Log in with --username NAME --password-stdin, or `docker login {registry}`"
    )]
    Unauthorised {
        /// Host and port.
        registry: String,
        /// The user.
        who: String,
        /// The image.
        name: String,
    },
    /// A registry's token service cannot be used.
    #[error(
        "the registry {registry} requires a token of {service}, which cannot be obtained: {reason}"
    )]
    Token {
        /// Host and port.
        registry: String,
        /// The service's address in the registry's challenge.
        service: String,
        /// The reason.
        reason: String,
    },
    /// A registry has no such image.
    #[error(
        "{name} does not exist: the registry has no such repository, or no such tag or digest in it"
    )]
    NotFound {
        /// The image.
        name: String,
    },
    /// A registry accepted a manifest and serves another one for its tag.
    #[error("{name} was pushed as {pushed}, but the registry serves {found}")]
    Replaced {
        /// The image.
        name: String,
        /// The digest in the layout.
        pushed: String,
        /// The digest in the registry.
        found: String,
    },
    /// A registry returned another error.
    #[error("{name}: {reason}")]
    Registry {
        /// The image.
        name: String,
        /// The response.
        reason: String,
    },
    /// The credentials for a registry in the docker configuration cannot be read.
    #[error("the docker configuration's credentials for {registry} cannot be used: {reason}")]
    DockerConfig {
        /// Host and port.
        registry: String,
        /// The reason.
        reason: String,
    },
}

/// Adds the operation to an I/O error.
pub(crate) trait Context<T> {
    /// Converts the error to [`Error::Io`] with the operation `what`.
    fn context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what().to_string(),
            source,
        })
    }
}
