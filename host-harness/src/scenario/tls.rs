//! TLS between the sidecars.

use schemars::JsonSchema;
use serde::Deserialize;

use super::roles::Side;
use crate::tls::Tls;

/// TLS between the sidecars, or between the only one and its peer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Mtls {
    /// The URI SANs of the client's certificate: one, or a list. An empty list: the client has no
    /// certificate.
    #[serde(default)]
    pub client: Names,
    /// The URI SANs of the server's certificate: one, or a list.
    pub server: Names,
    /// The server name that the client's sidecar requests (SNI).
    #[serde(default)]
    pub server_name: String,
    /// The ALPN protocols that the client's sidecar offers, unless a filter sets others.
    #[serde(default)]
    pub offered_alpn: Vec<String>,
    /// The ALPN protocols of the server's sidecar.
    #[serde(default = "istio")]
    pub accepted_alpn: Vec<String>,
}

/// One name, or a list of names.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Any number.
    List(Vec<String>),
}

impl Names {
    /// The names, in their order.
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::List(names) => names,
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Mtls {
    /// The URI SANs of a side's certificate.
    pub fn names(&self, side: Side) -> &[String] {
        match side {
            Side::Outbound => self.client.list(),
            Side::Inbound => self.server.list(),
        }
    }

    /// The TLS properties as this side sees them.
    pub(super) fn seen_by(&self, side: Side) -> Tls {
        let peer = match side {
            Side::Outbound => Side::Inbound,
            Side::Inbound => Side::Outbound,
        };
        // The highest version that an Envoy offers to an upstream by default.
        Tls::anonymous()
            .version("TLSv1.2")
            .local_sans(self.names(side))
            .peer_sans(self.names(peer))
            .server_name(&self.server_name)
            .offered_alpn(&self.offered_alpn)
    }
}

fn istio() -> Vec<String> {
    vec!["istio-peer-exchange".to_owned()]
}
