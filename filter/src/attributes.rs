//! Typed reads of Envoy's attributes.
//!
//! Encodings: strings raw, integers little-endian in 8 bytes, booleans in 1 byte
//! (Envoy's `serializeValue` in `source/extensions/common/wasm/context.cc`).

use crate::host::{Host, Status};
use crate::response_flags::ResponseFlags;

/// Where this host keeps the attributes of the proxy's configuration.
///
/// Envoy moved `node`, `listener_direction`, `cluster_name`, `cluster_metadata` and
/// `upstream_host_metadata` under the root `xds`; proxies of Istio 1.7's time know only the bare
/// names. One look at configure time decides it for the life of the VM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Roots {
    /// `xds.node`, `xds.cluster_name`, …
    Xds,
    /// `node`, `cluster_name`, …
    Legacy,
}

/// The attributes of the effective context.
///
/// A read that fails for whatever reason answers like an absent attribute: every label has a
/// fallback. Only what decides where a frame is to be expected tells why it is not to be had.
pub(crate) struct Attributes<'a, H> {
    host: &'a H,
    roots: Roots,
}

impl<'a, H: Host> Attributes<'a, H> {
    pub(crate) fn new(host: &'a H, roots: Roots) -> Self {
        Self { host, roots }
    }

    /// An attribute with a root of its own: `connection.…`, `upstream.…`, `response.…`.
    pub(crate) fn text(&self, path: &[&str]) -> Option<String> {
        text(self.host.property(path).ok()??)
    }

    /// Whether the downstream connection has mutual TLS.
    ///
    /// # Errors
    /// The host does not say.
    pub(crate) fn is_mtls(&self) -> Result<bool, Status> {
        let mtls = self.host.property(&["connection", "mtls"])?;
        Ok(mtls.is_some_and(|mtls| matches!(mtls.as_slice(), [byte] if *byte != 0)))
    }

    /// The URI of the upstream's certificate.
    ///
    /// # Errors
    /// The host does not say.
    pub(crate) fn upstream_uri_san(&self) -> Result<Option<String>, Status> {
        let san = self
            .host
            .property(&["upstream", "uri_san_peer_certificate"])?;
        Ok(san.and_then(text))
    }

    /// The listener's `envoy.config.core.v3.TrafficDirection`: 0 unspecified, 1 inbound, 2 outbound.
    ///
    /// # Errors
    /// The host does not say.
    pub(crate) fn listener_direction(&self) -> Result<Option<i64>, Status> {
        let direction = self.xds(&["listener_direction"])?;
        Ok(direction.and_then(|direction| integer(&direction)))
    }

    /// An integer attribute.
    pub(crate) fn integer(&self, path: &[&str]) -> Option<i64> {
        integer(&self.host.property(path).ok()??)
    }

    /// The response flags so far.
    pub(crate) fn response_flags(&self) -> ResponseFlags {
        let flags = self.integer(&["response", "flags"]).unwrap_or_default();
        ResponseFlags(flags.cast_unsigned())
    }

    /// A string below `xds`, wherever this host keeps it.
    pub(crate) fn xds_text(&self, path: &[&str]) -> Option<String> {
        text(self.xds(path).ok()??)
    }

    fn xds(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Status> {
        match self.roots {
            Roots::Legacy => self.host.property(path),
            Roots::Xds => {
                let mut rooted = Vec::with_capacity(path.len() + 1);
                rooted.push("xds");
                rooted.extend_from_slice(path);
                self.host.property(&rooted)
            }
        }
    }
}

fn text(raw: Vec<u8>) -> Option<String> {
    String::from_utf8(raw).ok().filter(|text| !text.is_empty())
}

fn integer(raw: &[u8]) -> Option<i64> {
    raw.try_into().ok().map(i64::from_le_bytes)
}
