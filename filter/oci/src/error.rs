//! What can go wrong between a source tree and a registry. Every message names the thing and, where there is one, the remedy.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use oci_spec::OciSpecError;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an image could not be built, pushed or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path it was tried on.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Cargo could not build the filter, or say what it is made of.
    #[error("`{command}` failed: {reason}")]
    Cargo {
        /// The command.
        command: String,
        /// What it said, if that is not on the terminal already.
        reason: String,
    },
    /// A signing key cannot be used.
    #[error(
        "{path} is no key to sign with: {reason}. It must be an unencrypted ECDSA P-256 key as PKCS#8 in PEM; `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {path}` makes one", path = path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is no WebAssembly module.
    #[error("{what} is no WebAssembly module: its {size} bytes do not begin like one")]
    NotWasm {
        /// The file, or the image it was taken from.
        what: String,
        /// Its size in bytes.
        size: usize,
    },
    /// A folder is no OCI image layout with an image in it.
    #[error("{path} is no OCI image layout with an image: {reason}. `cargo oci build` makes one", path = path.display())]
    NotALayout {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        reason: String,
    },
    /// A document that is written lacks a field that the OCI image specification requires.
    #[error("cannot write a document of the OCI image specification: {0}")]
    Document(#[from] OciSpecError),
    /// A manifest is not one of an image.
    #[error("{name} is no image: {reason}")]
    NotAnImage {
        /// The image.
        name: String,
        /// What is wrong with the manifest.
        reason: String,
    },
    /// An image has no module where an agent looks for it.
    #[error(
        "an Istio agent takes no module from {name}: as a compat image, {compat}; as an artifact, {artifact}"
    )]
    NoModule {
        /// The image.
        name: String,
        /// Why it is none of the variants with a tar.gz layer.
        compat: String,
        /// Why it is none of the variant with a bare module.
        artifact: String,
    },
    /// An index has no image for the platform that an agent takes.
    #[error(
        "{name} is an index with no linux/amd64, it has {found}. An Istio agent takes linux/amd64, whatever it runs on: a module is the same for all platforms, so build one image without an index"
    )]
    NoPlatform {
        /// The index.
        name: String,
        /// The platforms that it has.
        found: String,
    },
    /// A layer is no whole gzip stream, although the module in it is whole.
    #[error(
        "the last layer of {name} is damaged behind the module: {reason}. An Istio agent does not read that far, other tools refuse the layer: build it again"
    )]
    DamagedLayer {
        /// The image.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A digest is not of the kind that an agent reads.
    #[error("{digest} is no SHA-256 digest, and an Istio agent reads no other")]
    Digest {
        /// The digest.
        digest: String,
    },
    /// Bytes are not what their digest says.
    #[error("{what} is corrupted: {reason}. Build or push it again, and ask what changed it")]
    Corrupted {
        /// The file, or the blob or manifest in a registry.
        what: String,
        /// The digest that names it, and that of what is there.
        reason: String,
    },
    /// An argument is no folder, and names no image.
    #[error(
        "there is no folder {argument}, and as the name of an image it would have a registry or a tag, such as docker.io/team/name or team/name:tag"
    )]
    NoFolder {
        /// The argument.
        argument: String,
    },
    /// An argument without a tag was taken for an image, which could not be had.
    #[error(
        "{source}. There is no folder {argument}: it was taken for an image of the registry {registry}"
    )]
    TakenForImage {
        /// The argument.
        argument: String,
        /// Host and port.
        registry: String,
        /// Why the image could not be had.
        source: Box<Self>,
    },
    /// A reference to an image cannot be used.
    #[error(
        "{reference} is no reference to an image: {reason}. One looks like registry.example.com/team/name:tag"
    )]
    Reference {
        /// The reference.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A registry does not answer, or not in the protocol it was asked in.
    #[error(
        "the registry {registry} cannot be reached: {reason}. Loopback addresses are asked in plain HTTP and all others in HTTPS, unless --insecure says otherwise"
    )]
    Unreachable {
        /// Host and port.
        registry: String,
        /// What went wrong.
        reason: String,
    },
    /// A registry wants other credentials.
    #[error(
        "the registry {registry} does not let {who} do this with {name}. Log in with --username NAME --password-stdin, or `docker login {registry}`"
    )]
    Unauthorised {
        /// Host and port.
        registry: String,
        /// Who asked.
        who: String,
        /// The image.
        name: String,
    },
    /// A registry's token service cannot be used.
    #[error("the registry {registry} wants a token of {service}, which cannot be had: {reason}")]
    Token {
        /// Host and port.
        registry: String,
        /// The service's address, as the registry names it.
        service: String,
        /// Why not.
        reason: String,
    },
    /// A registry has no such image.
    #[error(
        "{name} is not there: the registry has no such repository, or no such tag or digest in it"
    )]
    NotFound {
        /// The image.
        name: String,
    },
    /// A registry took a manifest and now has another one under its tag.
    #[error("{name} was pushed as {pushed}, and the registry has {found}")]
    Replaced {
        /// The image.
        name: String,
        /// The digest in the layout.
        pushed: String,
        /// The digest in the registry.
        found: String,
    },
    /// A registry answered with another error.
    #[error("{name}: {reason}")]
    Registry {
        /// The image.
        name: String,
        /// What it answered.
        reason: String,
    },
    /// The docker configuration has credentials for the registry that cannot be had.
    #[error("the docker configuration's credentials for {registry} cannot be used: {reason}")]
    DockerConfig {
        /// Host and port.
        registry: String,
        /// Why not.
        reason: String,
    },
}

/// Says what an I/O operation was about.
pub(crate) trait Context<T> {
    /// Turns the error into one that starts with `what`.
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
