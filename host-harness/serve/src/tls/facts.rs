//! What a filter can read of a TLS connection.

use host_harness::Tls;
use rustls::pki_types::CertificateDer;
use rustls::{CommonState, ProtocolVersion};
use webpki::EndEntityCert;

/// What is known after the handshake.
pub(crate) fn facts(connection: &CommonState, local_san: Option<String>) -> Tls {
    let peer = connection.peer_certificates().and_then(<[_]>::first);
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    Tls::anonymous()
        .local_san(local_san)
        .peer_san(peer.and_then(uri_san))
        .version(version)
}

/// The first URI among a certificate's subject alternative names.
pub(super) fn uri_san(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut names = certificate.valid_uri_names();
    names.next().map(str::to_owned)
}
