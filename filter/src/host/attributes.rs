//! Typed reads of Envoy's attributes.
//!
//! Encodings: strings raw, integers little-endian in 8 bytes, booleans in 1 byte, maps as
//! [`pairs`] (Envoy's `serializeValue` in `source/extensions/common/wasm/context.cc`).

use super::calls::Host;
use super::status::Status;

pub(crate) mod pairs;
pub(crate) mod path;

/// The root of the attributes of the proxy's configuration in this host.
///
/// Envoy moved `node`, `listener_direction`, `cluster_name`, `cluster_metadata` and
/// `upstream_host_metadata` under the root `xds`; proxies of Istio 1.7 have the bare names only.
/// It is determined once, when the plugin is configured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Roots {
    /// `xds.node`, `xds.cluster_name`, …
    Xds,
    /// `node`, `cluster_name`, …
    Legacy,
}

impl Roots {
    /// The path in this host, with dots, for the log.
    pub(crate) fn name(self, path: &str) -> String {
        self.resolve(path).replace('\0', ".")
    }

    /// The path in this host.
    fn resolve(self, path: &str) -> &str {
        match self {
            Self::Xds => path,
            Self::Legacy => path.strip_prefix(path::XDS).unwrap_or(path),
        }
    }
}

/// The attributes of the effective context.
///
/// A read that fails counts as an absent attribute, because every label has a fallback. Only the
/// attributes that decide where a frame is expected return the status of a failed read.
pub(crate) struct Attributes<'a, H> {
    host: &'a H,
    roots: Roots,
}

impl<'a, H: Host> Attributes<'a, H> {
    pub(crate) fn new(host: &'a H, roots: Roots) -> Self {
        Self { host, roots }
    }

    /// The host of these attributes.
    pub(crate) fn host(&self) -> &'a H {
        self.host
    }

    /// The attribute's bytes.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(crate) fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Status> {
        self.host.property(self.roots.resolve(path))
    }

    /// The attribute's bytes; `None` if the read failed.
    pub(crate) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.get(path).ok().flatten()
    }

    /// A string that is not empty.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        text(self.bytes(path)?)
    }

    /// An integer.
    pub(crate) fn integer(&self, path: &str) -> Option<i64> {
        integer(&self.bytes(path)?)
    }

    /// Whether the downstream connection has TLS.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(crate) fn has_tls(&self) -> Result<bool, Status> {
        let version = self.get(path::TLS_VERSION)?;
        Ok(version.is_some_and(|version| !version.is_empty()))
    }

    /// Whether the downstream connection has mutual TLS.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(crate) fn is_mtls(&self) -> Result<bool, Status> {
        let mtls = self.get(path::MTLS)?;
        Ok(mtls.is_some_and(|mtls| matches!(mtls.as_slice(), [byte] if *byte != 0)))
    }

    /// The URI of the upstream's certificate.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(crate) fn upstream_uri_san(&self) -> Result<Option<String>, Status> {
        Ok(self.get(path::UPSTREAM_PEER_SAN)?.and_then(text))
    }

    /// The listener's `envoy.config.core.v3.TrafficDirection`: 0 unspecified, 1 inbound, 2
    /// outbound.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(crate) fn listener_direction(&self) -> Result<Option<i64>, Status> {
        let direction = self.get(path::LISTENER_DIRECTION)?;
        Ok(direction.and_then(|direction| integer(&direction)))
    }

    /// The response flags so far, as Envoy's bit mask.
    pub(crate) fn response_flags(&self) -> u64 {
        let flags = self.integer(path::RESPONSE_FLAGS).unwrap_or_default();
        flags.cast_unsigned()
    }
}

fn text(raw: Vec<u8>) -> Option<String> {
    String::from_utf8(raw).ok().filter(|text| !text.is_empty())
}

fn integer(raw: &[u8]) -> Option<i64> {
    raw.try_into().ok().map(i64::from_le_bytes)
}
