//! A repository of a registry, over the OCI distribution protocol.
//!
//! `oci-client` parses references and uploads blobs. Pulls, manifests and logins are own code
//! because `oci-client` (0.18) reads responses of any length into memory, sends credentials to any
//! token service that a registry names, continues anonymously after a failed login, and does not
//! exchange identity tokens.

mod credential;
mod docker;
mod error;
mod http;
mod login;
mod name;
mod session;
mod token;

use std::future::Future;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use oci_spec::image::{Descriptor, MediaType};
use reqwest::Method;
use tokio::runtime::{Builder, Runtime};

use crate::digest;
use crate::error::{Context, Error, Result};
use crate::media_type;
use crate::store::{Manifest, Store};

use self::session::Session;

pub use self::login::Login;
pub use self::name::is_reference;

/// The lifetime of tokens in the client for uploads, in seconds. It is long because each upload
/// sets the current token.
const TOKEN_EXPIRATION: usize = 86_400;
/// The maximum size of a manifest in bytes, as in go-containerregistry, the agent's client.
const MAX_MANIFEST: u64 = 100 << 20;

/// A repository of a registry.
pub struct Registry {
    session: Session,
    uploads: Client,
    runtime: Runtime,
    has_tag: bool,
    warning: Option<String>,
}

impl Registry {
    /// Prepares requests about the image that `reference` names. Nothing is sent yet. Loopback
    /// addresses are on plain HTTP, and others too if `insecure`.
    ///
    /// # Errors
    /// The reference is invalid, or its credentials cannot be read.
    pub fn new(reference: &str, login: Login, insecure: bool) -> Result<Self> {
        let parsed = name::parse(reference)?;
        let host = parsed.resolve_registry();
        let (credential, warning) = login.credential(host)?;
        // Only the first call of a process succeeds, and all set the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let is_plain = insecure || name::is_loopback(host);
        let (protocol, scheme) = match is_plain {
            true => (ClientProtocol::Http, "http"),
            false => (ClientProtocol::Https, "https"),
        };
        let uploads = Client::new(ClientConfig {
            protocol,
            user_agent: http::USER_AGENT,
            connect_timeout: Some(http::CONNECT_TIMEOUT),
            read_timeout: Some(http::READ_TIMEOUT),
            default_token_expiration_secs: TOKEN_EXPIRATION,
            ..ClientConfig::default()
        });
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            session: Session::new(parsed, credential, scheme)?,
            uploads,
            runtime: runtime.context(|| "cannot start a runtime")?,
            has_tag: name::has_tag(reference),
            warning,
        })
    }

    /// A warning about a login that could not be read, in one sentence. Requests are sent without a
    /// login.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The registry's host, with its port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.session.host()
    }

    /// The tag of the reference, if it names one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.session.reference.tag().filter(|_| self.has_tag)
    }

    /// Whether the reference has neither a tag nor a digest.
    #[must_use]
    pub fn is_repository(&self) -> bool {
        !self.has_tag && self.session.reference.digest().is_none()
    }

    /// The digest of the reference, else its tag, else this version, the default tag of a push.
    #[must_use]
    pub fn wanted(&self) -> &str {
        let wanted = self.session.reference.digest().or_else(|| self.tag());
        wanted.unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    /// The name of another image in the repository, by its tag or digest.
    #[must_use]
    pub fn name(&self, reference: &str) -> String {
        let (registry, repository) = (
            self.session.reference.registry(),
            self.session.reference.repository(),
        );
        let separator = match reference.contains(':') {
            true => '@',
            false => ':',
        };
        format!("{registry}/{repository}{separator}{reference}")
    }

    /// Checks that the reference can be written to.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.session.reference.digest().is_none() {
            return Ok(());
        }
        Err(self.unusable("a digest follows from the content and cannot be the target of a push"))
    }

    /// The error of a reference that an operation cannot use.
    pub(crate) fn unusable(&self, reason: &str) -> Error {
        self.session.unusable(reason)
    }

    /// Uploads a blob, unless the registry has it.
    pub(crate) fn put_blob(&self, blob: &Descriptor, bytes: Vec<u8>) -> Result<()> {
        let digest = blob.digest().as_ref();
        let name = self.name(digest);
        self.upload(&name, async {
            let (client, image) = (&self.uploads, &self.session.reference);
            if !client.blob_exists(image, digest).await.unwrap_or(false) {
                client.push_blob(image, bytes, digest).await?;
            }
            Ok(())
        })
    }

    /// Uploads a manifest by its tag or digest, and returns the digest that the registry then
    /// serves.
    pub(crate) fn put_manifest(
        &self,
        reference: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<String> {
        let name = self.name(reference);
        self.runtime.block_on(async {
            let request = self.session.request(Method::PUT, "manifests", reference)?;
            let request = request.header("Content-Type", media_type).body(bytes);
            self.session
                .send(&name, request, RegistryOperation::Push)
                .await
        })?;
        let found = self.manifest(reference)?;
        let found = found.ok_or(Error::NotFound { name })?;
        Ok(digest::of(&found.bytes))
    }

    /// Sends an upload through `oci-client`, with the authorization of the session.
    fn upload<T>(
        &self,
        name: &str,
        request: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T> {
        self.runtime.block_on(async {
            let auth = self
                .session
                .authorise(name, RegistryOperation::Push)
                .await?;
            let answer = async {
                let (client, image) = (&self.uploads, &self.session.reference);
                client.store_auth_if_needed(self.host(), &auth).await;
                if let RegistryAuth::Bearer(_) = auth {
                    // The client reads its cache of tokens first, so the cache is set as well.
                    for operation in [RegistryOperation::Pull, RegistryOperation::Push] {
                        client.auth(image, &auth, operation).await?;
                    }
                }
                request.await
            };
            answer
                .await
                .map_err(|error| error::upload(&self.session, name, error))
        })
    }
}

impl Store for Registry {
    fn manifest(&self, reference: &str) -> Result<Option<Manifest>> {
        let name = self.name(reference);
        if reference.contains(':') {
            digest::parse(reference)?;
        }
        let found = self.runtime.block_on(async {
            let request = self.session.request(Method::GET, "manifests", reference)?;
            let request = request.header("Accept", media_type::accepted());
            let answer = self
                .session
                .send(&name, request, RegistryOperation::Pull)
                .await?;
            let media_type = answer.headers().get("Content-Type");
            let media_type = media_type.and_then(|value| value.to_str().ok());
            let media_type = media_type
                .map(|value| MediaType::from(value.split(';').next().unwrap_or(value).trim()));
            let bytes = self.session.read(&name, answer, MAX_MANIFEST).await?;
            Ok(Manifest { bytes, media_type })
        });
        let manifest = match found {
            Ok(manifest) => manifest,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if reference.contains(':') {
            digest::check(&name, &manifest.bytes, reference)?;
        }
        Ok(Some(manifest))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let digest = descriptor.digest().as_ref();
        let name = self.name(digest);
        digest::parse(digest)?;
        let bytes = self.runtime.block_on(async {
            let request = self.session.request(Method::GET, "blobs", digest)?;
            let answer = self
                .session
                .send(&name, request, RegistryOperation::Pull)
                .await?;
            self.session.read(&name, answer, descriptor.size()).await
        })?;
        digest::check_size(&name, bytes.len() as u64, descriptor)?;
        digest::check(&name, &bytes, digest)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_tag_it_is_this_version() -> Result<()> {
        let wanted = |reference: &str| -> Result<String> {
            let registry = Registry::new(reference, Login::Anonymous, false)?;
            Ok(registry.wanted().to_owned())
        };
        assert_eq!(wanted("localhost:5000/name:edge")?, "edge");
        assert_eq!(wanted("localhost:5000/name")?, env!("CARGO_PKG_VERSION"));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(wanted(&format!("localhost:5000/name@{digest}"))?, digest);
        Ok(())
    }
}
