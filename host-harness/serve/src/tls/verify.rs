//! Verifying peers as Envoy does: the chain against `trusted_ca`, the names against the matchers, never the host name.

use super::schema::{SanType, SubjectAltNameMatcher};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Verifies peers, clients and servers alike.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    /// `None`: whoever comes is welcome, as without a `trusted_ca` in Envoy.
    anchors: Option<Vec<TrustAnchor<'static>>>,
    /// One must match, if there are any.
    names: Vec<SubjectAltNameMatcher>,
    algorithms: WebPkiSupportedAlgorithms,
    mandatory: bool,
}

impl PeerVerifier {
    pub(super) fn new(
        anchors: Option<Vec<TrustAnchor<'static>>>,
        names: Vec<SubjectAltNameMatcher>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self {
            anchors,
            names,
            algorithms,
            mandatory: true,
        }
    }

    pub(super) fn trusting(
        roots: &[CertificateDer<'static>],
        names: Vec<SubjectAltNameMatcher>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Self, webpki::Error> {
        let anchors: Result<_, _> = roots
            .iter()
            .map(|root| anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned()))
            .collect();
        Ok(Self::new(Some(anchors?), names, algorithms))
    }

    /// Whether a client must show a certificate.
    pub(super) fn mandatory(mut self, mandatory: bool) -> Self {
        self.mandatory = mandatory;
        self
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), Error> {
        let Some(anchors) = &self.anchors else {
            return Ok(());
        };
        let certificate = EndEntityCert::try_from(certificate).map_err(rejected)?;
        certificate
            .verify_for_usage(
                self.algorithms.all,
                anchors,
                intermediates,
                now,
                usage,
                None,
                None,
            )
            .map_err(rejected)?;
        if self.names.is_empty() || self.names.iter().any(|name| has(&certificate, name)) {
            return Ok(());
        }
        Err(CertificateError::NotValidForName.into())
    }
}

fn has(certificate: &EndEntityCert<'_>, wanted: &SubjectAltNameMatcher) -> bool {
    let matches = |name: &str| wanted.matcher.matches(name);
    match wanted.san_type {
        SanType::Uri => certificate.valid_uri_names().any(matches),
        SanType::Dns => certificate.valid_dns_names().any(matches),
    }
}

fn rejected(error: webpki::Error) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(certificate, intermediates, now, KeyUsage::server_auth())
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(certificate, intermediates, now, KeyUsage::client_auth())
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
