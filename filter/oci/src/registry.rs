//! A repository of a registry, over the OCI distribution protocol.

mod error;
mod login;

use std::future::Future;
use std::net::IpAddr;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::runtime::{Builder, Runtime};

use crate::error::{Context, Error, Result};
use crate::media_type;
use crate::store::Store;

pub use self::login::Login;

/// A repository, with someone who is logged in.
pub struct Registry {
    client: Client,
    runtime: Runtime,
    reference: Reference,
    has_tag: bool,
    auth: RegistryAuth,
}

impl Registry {
    /// Prepares to talk about the image that `reference` names; nothing is sent yet. Loopback addresses are asked in plain
    /// HTTP, and others too if `insecure`.
    ///
    /// # Errors
    /// The reference is none, or its credentials cannot be had.
    pub fn new(reference: &str, login: Login, insecure: bool) -> Result<Self> {
        let parsed: Reference = reference.parse().map_err(|error| Error::Reference {
            reference: reference.to_owned(),
            reason: format!("{error}"),
        })?;
        let host = parsed.resolve_registry();
        let auth = login.auth(host)?;
        // Only the first call of a process succeeds, and all want the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(ClientConfig {
            protocol: match insecure || is_loopback(host) {
                true => ClientProtocol::Http,
                false => ClientProtocol::Https,
            },
            user_agent: concat!("cargo-oci/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        });
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            client,
            runtime: runtime.context(|| "cannot start a runtime")?,
            has_tag: has_tag(reference),
            reference: parsed,
            auth,
        })
    }

    /// The tag of the reference, if it names one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.reference.tag().filter(|_| self.has_tag)
    }

    /// The digest or else the tag of the reference, or without either what an image is pushed as: this version.
    #[must_use]
    pub fn wanted(&self) -> &str {
        let wanted = self.reference.digest().or_else(|| self.tag());
        wanted.unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    /// The name of another image in the repository.
    #[must_use]
    pub fn name(&self, tag: &str) -> String {
        self.at(tag).whole()
    }

    /// Checks that the reference can be written to.
    pub(crate) fn takes_tags(&self) -> Result<()> {
        if self.reference.digest().is_none() {
            return Ok(());
        }
        Err(Error::Reference {
            reference: self.reference.whole(),
            reason: "a digest follows from what is pushed, and cannot be asked for".into(),
        })
    }

    /// Uploads a blob, unless it is there.
    pub(crate) fn put_blob(&self, blob: &OciDescriptor, bytes: Vec<u8>) -> Result<()> {
        let name = self.name(&blob.digest);
        self.ask(&name, async {
            let (client, image) = (&self.client, &self.reference);
            if !client
                .blob_exists(image, &blob.digest)
                .await
                .unwrap_or(false)
            {
                client.push_blob(image, bytes, &blob.digest).await?;
            }
            Ok(())
        })
    }

    /// Uploads a manifest and returns the digest that the registry then has under the tag.
    pub(crate) fn put_manifest(
        &self,
        tag: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<String> {
        let image = self.at(tag);
        let name = image.whole();
        let media_type = media_type.parse().map_err(|error| Error::NotAnImage {
            name: name.clone(),
            reason: format!("its media type: {error}"),
        })?;
        self.ask(&name, async {
            self.client
                .push_manifest_raw(&image, bytes, media_type)
                .await?;
            self.client.fetch_manifest_digest(&image, &self.auth).await
        })
    }

    fn at(&self, tag: &str) -> Reference {
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let make = match tag.contains(':') {
            true => Reference::with_digest,
            false => Reference::with_tag,
        };
        make(registry.to_owned(), repository.to_owned(), tag.to_owned())
    }

    fn ask<T>(
        &self,
        name: &str,
        question: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T> {
        let answer = self.runtime.block_on(async {
            let registry = self.reference.resolve_registry();
            self.client.store_auth_if_needed(registry, &self.auth).await;
            question.await
        });
        answer.map_err(|error| self.error(name, error))
    }
}

impl Store for Registry {
    fn manifest(&self, tag: &str) -> Result<Option<Vec<u8>>> {
        let image = self.at(tag);
        let kinds = [media_type::MANIFEST, media_type::DOCKER_MANIFEST];
        let manifest = self.ask(&image.whole(), async {
            self.client
                .pull_manifest_raw(&image, &self.auth, &kinds)
                .await
        });
        match manifest {
            Ok((bytes, _digest)) => Ok(Some(bytes.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn blob(&self, descriptor: &OciDescriptor) -> Result<Vec<u8>> {
        let name = self.name(&descriptor.digest);
        self.ask(&name, async {
            let mut bytes = Vec::new();
            self.client
                .pull_blob(&self.reference, descriptor, &mut bytes)
                .await?;
            Ok(bytes)
        })
    }
}

/// Whether a reference has a tag of its own; the parser makes `latest` of none.
fn has_tag(reference: &str) -> bool {
    let name = reference.split('@').next().unwrap_or(reference);
    let last = name.rsplit('/').next().unwrap_or(name);
    last.contains(':')
}

fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_asked_in_plain_http() {
        for plain in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            assert!(is_loopback(plain), "{plain}");
        }
        for other in [
            "localhost.example.com",
            "10.0.0.1:5000",
            "ghcr.io",
            "[fe80::1]:80",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn a_port_is_no_tag() {
        assert!(!has_tag("localhost:5000/team/name"));
        assert!(has_tag("localhost:5000/team/name:1.0"));
        assert!(!has_tag("localhost:5000/name@sha256:00"));
    }

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

    #[test]
    fn what_is_no_reference_is_refused() {
        let refused = Registry::new("localhost:5000/UPPER", Login::Anonymous, false);
        assert!(matches!(refused.err(), Some(Error::Reference { .. })));
    }
}
