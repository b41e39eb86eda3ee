//! TLS properties of a connection.

/// The TLS properties of a connection, as one side of it sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub(crate) version: String,
    pub(crate) server_name: String,
    /// The URI SANs of the certificates; attributes have the first one.
    pub(crate) local_sans: Vec<String>,
    pub(crate) peer_sans: Vec<String>,
    /// The ALPN protocols that a client outside of the harness offers.
    pub(crate) offered_alpn: Vec<String>,
}

impl Tls {
    /// Mutual TLS: both certificates have a URI SAN.
    pub fn mutual(local_san: impl Into<String>, peer_san: impl Into<String>) -> Self {
        Self {
            local_sans: vec![local_san.into()],
            peer_sans: vec![peer_san.into()],
            ..Self::anonymous()
        }
    }

    /// TLS without a URI SAN on either side.
    pub fn anonymous() -> Self {
        Self {
            version: "TLSv1.3".into(),
            server_name: String::new(),
            local_sans: Vec::new(),
            peer_sans: Vec::new(),
            offered_alpn: Vec::new(),
        }
    }

    /// The JA4 fingerprint of the ClientHello that this proxy receives from an Envoy: the first part
    /// tells whether there is an SNI, and the first and last character of the first ALPN protocol.
    /// Version, ciphers and other extensions are those of Envoy 1.40's defaults (measured).
    pub(crate) fn ja4(&self, offered_alpn: &[String]) -> String {
        let has_name = !self.server_name.is_empty();
        let sni = if has_name { 'd' } else { 'i' };
        let protocol = offered_alpn.first().map_or("", String::as_str);
        let first = protocol.chars().next().unwrap_or('0');
        let last = protocol.chars().next_back().unwrap_or('0');
        let extensions = 6 + u8::from(has_name) + u8::from(!protocol.is_empty());
        format!("t12{sni}06{extensions:02}{first}{last}_39a52dd9ae43_0f3b2bcde21d")
    }

    /// Sets the URI SANs of the local certificate, in their order; none for no certificate.
    #[must_use]
    pub fn local_sans<S: Into<String>>(mut self, sans: impl IntoIterator<Item = S>) -> Self {
        self.local_sans = sans.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the URI SANs of the peer's certificate, in their order; none for no certificate.
    #[must_use]
    pub fn peer_sans<S: Into<String>>(mut self, sans: impl IntoIterator<Item = S>) -> Self {
        self.peer_sans = sans.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the protocol version, `TLSv1.3` by default.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets the server name that the client requests (SNI).
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = name.into();
        self
    }

    /// Sets the ALPN protocols that the client offers, by which a listener chooses a filter chain,
    /// if the client is an application. A proxy as client offers what its cluster or a filter has.
    #[must_use]
    pub fn offered_alpn<S: Into<String>>(mut self, protocols: impl IntoIterator<Item = S>) -> Self {
        self.offered_alpn = protocols.into_iter().map(Into::into).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measured with the tls_inspector of Envoy 1.40.
    #[test]
    fn a_fingerprint_tells_the_first_protocol() {
        let tls = Tls::anonymous();
        let offered = ["istio-peer-exchange".to_owned(), "istio".to_owned()];
        assert_eq!(tls.ja4(&offered), "t12i0607ie_39a52dd9ae43_0f3b2bcde21d");
        assert_eq!(tls.ja4(&[]), "t12i060600_39a52dd9ae43_0f3b2bcde21d");
    }
}
