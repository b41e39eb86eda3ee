//! TLS properties of a connection.

/// The TLS properties of a connection, as one side of it sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub(crate) version: String,
    pub(crate) server_name: String,
    pub(crate) local_san: Option<String>,
    pub(crate) peer_san: Option<String>,
}

impl Tls {
    /// Mutual TLS: both certificates have a URI SAN.
    pub fn mutual(local_san: impl Into<String>, peer_san: impl Into<String>) -> Self {
        Self {
            local_san: Some(local_san.into()),
            peer_san: Some(peer_san.into()),
            ..Self::anonymous()
        }
    }

    /// TLS without a URI SAN on either side.
    pub fn anonymous() -> Self {
        Self {
            version: "TLSv1.3".into(),
            server_name: String::new(),
            local_san: None,
            peer_san: None,
        }
    }

    /// The JA4 fingerprint of the ClientHello that this proxy receives: its first part has the
    /// version, whether there is an SNI, and the first and last character of the first ALPN
    /// protocol. The numbers and hashes of ciphers and extensions are constants: those of an Envoy
    /// 1.40 without SNI.
    pub(crate) fn ja4(&self, offered_alpn: &[String]) -> String {
        let version: String = self.version.chars().filter(char::is_ascii_digit).collect();
        let sni = if self.server_name.is_empty() {
            'i'
        } else {
            'd'
        };
        let protocol = offered_alpn.first().map_or("", String::as_str);
        let ends = (protocol.chars().next(), protocol.chars().next_back());
        let (first, last) = (ends.0.unwrap_or('0'), ends.1.unwrap_or('0'));
        let extensions = if protocol.is_empty() { 10 } else { 11 };
        format!("t{version}{sni}09{extensions}{first}{last}_f91f431d341e_78e6aca7449b")
    }

    /// Sets the URI SAN of the local certificate.
    #[must_use]
    pub fn local_san(mut self, san: Option<String>) -> Self {
        self.local_san = san;
        self
    }

    /// Sets the URI SAN of the peer's certificate.
    #[must_use]
    pub fn peer_san(mut self, san: Option<String>) -> Self {
        self.peer_san = san;
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
}
