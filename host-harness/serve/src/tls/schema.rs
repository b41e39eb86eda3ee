//! `envoy.extensions.transport_sockets.tls.v3`, as far as the harness knows it.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct DownstreamTlsContext {
    #[serde(default)]
    pub(super) common_tls_context: CommonTlsContext,
    #[serde(default)]
    pub(super) require_client_certificate: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct UpstreamTlsContext {
    #[serde(default)]
    pub(super) common_tls_context: CommonTlsContext,
    #[serde(default)]
    pub(super) sni: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CommonTlsContext {
    pub(super) tls_params: TlsParameters,
    pub(super) tls_certificates: Vec<TlsCertificate>,
    pub(super) validation_context: Option<CertificateValidationContext>,
    pub(super) alpn_protocols: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TlsParameters {
    pub(super) tls_minimum_protocol_version: TlsProtocol,
    pub(super) tls_maximum_protocol_version: TlsProtocol,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Deserialize)]
pub(super) enum TlsProtocol {
    #[default]
    #[serde(rename = "TLS_AUTO")]
    Auto,
    #[serde(rename = "TLSv1_2")]
    V1_2,
    #[serde(rename = "TLSv1_3")]
    V1_3,
}

#[derive(Debug, Deserialize)]
pub(super) struct TlsCertificate {
    pub(super) certificate_chain: DataSource,
    pub(super) private_key: DataSource,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CertificateValidationContext {
    pub(super) trusted_ca: Option<DataSource>,
    pub(super) match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DataSource {
    Filename(String),
    InlineString(String),
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct SubjectAltNameMatcher {
    pub(super) san_type: SanType,
    pub(super) matcher: StringMatcher,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum SanType {
    Dns,
    Uri,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StringMatcher {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
}

impl StringMatcher {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => text == wanted,
            Self::Prefix(wanted) => text.starts_with(wanted),
            Self::Suffix(wanted) => text.ends_with(wanted),
            Self::Contains(wanted) => text.contains(wanted),
        }
    }
}
