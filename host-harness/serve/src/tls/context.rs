//! Transport sockets: their configuration as rustls'.

use super::facts::uri_san;
use super::schema::{self, CommonTlsContext, DataSource, TlsProtocol};
use super::verify::PeerVerifier;
use crate::config::{Any, ConfigError, Reader, Unknown};
use host_harness::Tls;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ClientHello;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use std::net::IpAddr;
use std::sync::Arc;

const RAW_BUFFER: &str = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const DOWNSTREAM: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const UPSTREAM: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// TLS that a filter chain terminates.
pub(crate) struct DownstreamTls {
    config: Arc<ServerConfig>,
    /// For clients with none of our ALPN protocols: Envoy goes on without one, rustls would refuse them.
    without_alpn: Arc<ServerConfig>,
    local_san: Option<String>,
}

/// TLS that a cluster originates.
pub(crate) struct UpstreamTls {
    config: ClientConfig,
    sni: String,
    local_san: Option<String>,
}

impl DownstreamTls {
    /// `None` for a socket without TLS.
    pub(crate) fn load(
        any: &Any,
        path: &str,
        reader: &mut Reader,
    ) -> Result<Option<Self>, ConfigError> {
        if !is_tls(any, DOWNSTREAM, path)? {
            return Ok(None);
        }
        let context: schema::DownstreamTlsContext = reader.any(any, path, Unknown::Refuse)?;
        let common = &context.common_tls_context;
        let path = format!("{path}.common_tls_context");
        let provider = Arc::new(ring::default_provider());
        let identity = Identity::load(common, &path)?
            .ok_or_else(|| ConfigError::invalid(&path, "a server needs a certificate"))?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(common, TlsProtocol::V1_3))
            .map_err(|error| ConfigError::invalid(&path, error))?;
        let builder = if context.require_client_certificate || common.validation_context.is_some() {
            let mandatory = context.require_client_certificate;
            let verifier = verifier(common, &provider, &path)?.mandatory(mandatory);
            builder.with_client_cert_verifier(Arc::new(verifier))
        } else {
            builder.with_no_client_auth()
        };
        let local_san = identity.san();
        let without_alpn = builder
            .with_single_cert(identity.chain, identity.key)
            .map_err(|error| ConfigError::invalid(&path, error))?;
        let mut config = without_alpn.clone();
        config.alpn_protocols = wire(&common.alpn_protocols);
        Ok(Some(Self {
            config: Arc::new(config),
            without_alpn: Arc::new(without_alpn),
            local_san,
        }))
    }

    /// The configuration for a client that said this.
    pub(crate) fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let ours = &self.config.alpn_protocols;
        let mut offered = hello.alpn().into_iter().flatten();
        match offered.any(|name| ours.iter().any(|own| own == name)) {
            true => self.config.clone(),
            false => self.without_alpn.clone(),
        }
    }

    /// What is known before the handshake.
    pub(crate) fn own_facts(&self, server_name: Option<&str>) -> Tls {
        Tls::anonymous()
            .local_san(self.local_san.clone())
            .server_name(server_name.unwrap_or_default())
    }

    pub(crate) fn local_san(&self) -> Option<String> {
        self.local_san.clone()
    }
}

impl UpstreamTls {
    /// `None` for a socket without TLS.
    pub(crate) fn load(
        any: &Any,
        path: &str,
        reader: &mut Reader,
    ) -> Result<Option<Self>, ConfigError> {
        if !is_tls(any, UPSTREAM, path)? {
            return Ok(None);
        }
        let context: schema::UpstreamTlsContext = reader.any(any, path, Unknown::Refuse)?;
        let common = &context.common_tls_context;
        let path = format!("{path}.common_tls_context");
        let provider = Arc::new(ring::default_provider());
        let identity = Identity::load(common, &path)?;
        let local_san = identity.as_ref().and_then(Identity::san);
        let builder = ClientConfig::builder_with_provider(provider.clone())
            // Envoy's default for clients.
            .with_protocol_versions(&versions(common, TlsProtocol::V1_2))
            .map_err(|error| ConfigError::invalid(&path, error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier(common, &provider, &path)?));
        let mut config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain, identity.key)
                .map_err(|error| ConfigError::invalid(&path, error))?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = wire(&common.alpn_protocols);
        // A resumed session need not have been negotiated with the same ALPN protocols.
        config.resumption = Resumption::disabled();
        Ok(Some(Self {
            config,
            sni: context.sni,
            local_san,
        }))
    }

    /// The ALPN protocols of the cluster itself.
    pub(crate) fn alpn(&self) -> Vec<String> {
        let names = self.config.alpn_protocols.iter();
        names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    /// The configuration that offers these protocols.
    pub(crate) fn offering(&self, alpn: &[String]) -> Arc<ClientConfig> {
        let mut config = self.config.clone();
        config.alpn_protocols = wire(alpn);
        Arc::new(config)
    }

    /// The name to ask for; an address is never sent.
    pub(crate) fn server_name(&self, address: IpAddr) -> Option<ServerName<'static>> {
        match self.sni.as_str() {
            "" => Some(ServerName::IpAddress(address.into())),
            sni => ServerName::try_from(sni.to_owned()).ok(),
        }
    }

    pub(crate) fn local_san(&self) -> Option<String> {
        self.local_san.clone()
    }
}

fn is_tls(any: &Any, kind: &str, path: &str) -> Result<bool, ConfigError> {
    match any.kind.as_str() {
        RAW_BUFFER => Ok(false),
        found if found == kind => Ok(true),
        found => Err(ConfigError::unsupported(
            path,
            format!("{found}; want {kind}"),
        )),
    }
}

fn versions(
    common: &CommonTlsContext,
    newest: TlsProtocol,
) -> Vec<&'static SupportedProtocolVersion> {
    let params = &common.tls_params;
    let newest = match params.tls_maximum_protocol_version {
        TlsProtocol::Auto => newest,
        newest => newest,
    };
    let known = [(TlsProtocol::V1_3, &TLS13), (TlsProtocol::V1_2, &TLS12)];
    known
        .into_iter()
        .filter(|(version, _)| {
            *version <= newest && *version >= params.tls_minimum_protocol_version
        })
        .map(|(_, version)| version)
        .collect()
}

fn verifier(
    common: &CommonTlsContext,
    provider: &CryptoProvider,
    path: &str,
) -> Result<PeerVerifier, ConfigError> {
    let path = format!("{path}.validation_context");
    let algorithms = provider.signature_verification_algorithms;
    let Some(context) = &common.validation_context else {
        return Ok(PeerVerifier::new(None, Vec::new(), algorithms));
    };
    let names = context.match_typed_subject_alt_names.clone();
    let Some(trusted_ca) = &context.trusted_ca else {
        if names.is_empty() {
            return Ok(PeerVerifier::new(None, names, algorithms));
        }
        let reason = "names of peers mean nothing without a trusted_ca";
        return Err(ConfigError::invalid(path, reason));
    };
    let path = format!("{path}.trusted_ca");
    let roots = certificates(trusted_ca, &path)?;
    PeerVerifier::trusting(&roots, names, algorithms)
        .map_err(|error| ConfigError::invalid(path, error))
}

/// A certificate with its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    fn load(common: &CommonTlsContext, path: &str) -> Result<Option<Self>, ConfigError> {
        let path = format!("{path}.tls_certificates");
        let certificate = match common.tls_certificates.as_slice() {
            [] => return Ok(None),
            [certificate] => certificate,
            _ => return Err(ConfigError::unsupported(path, "want one certificate")),
        };
        let chain = certificates(
            &certificate.certificate_chain,
            &format!("{path}[0].certificate_chain"),
        )?;
        let path = format!("{path}[0].private_key");
        let pem = read(&certificate.private_key, &path)?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|error| ConfigError::invalid(path, error))?;
        Ok(Some(Self { chain, key }))
    }

    fn san(&self) -> Option<String> {
        self.chain.first().and_then(uri_san)
    }
}

fn certificates(
    source: &DataSource,
    path: &str,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let pem = read(source, path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(ConfigError::invalid(path, "no certificate in it"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(ConfigError::invalid(path, error)),
    }
}

fn read(source: &DataSource, path: &str) -> Result<Vec<u8>, ConfigError> {
    match source {
        DataSource::InlineString(text) => Ok(text.as_bytes().to_vec()),
        DataSource::Filename(file) => std::fs::read(file)
            .map_err(|error| ConfigError::invalid(path, format!("cannot read {file}: {error}"))),
    }
}

fn wire(protocols: &[String]) -> Vec<Vec<u8>> {
    let names = protocols.iter();
    names.map(|name| name.as_bytes().to_vec()).collect()
}
