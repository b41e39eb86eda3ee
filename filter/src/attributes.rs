//! Typed reads of Envoy's attributes.
//!
//! Encodings: strings raw, integers little-endian in 8 bytes, booleans in 1 byte
//! (Envoy's `serializeValue` in `source/extensions/common/wasm/context.cc`).

use crate::host::Host;
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
/// A read that fails for whatever reason answers like an absent attribute: nothing here is worth
/// a connection, and every label has a fallback.
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

    /// A boolean attribute.
    pub(crate) fn flag(&self, path: &[&str]) -> Option<bool> {
        match self.host.property(path).ok()??.as_slice() {
            [byte] => Some(*byte != 0),
            _ => None,
        }
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
        text(self.xds(path)?)
    }

    /// An integer below `xds`, wherever this host keeps it.
    pub(crate) fn xds_integer(&self, path: &[&str]) -> Option<i64> {
        integer(&self.xds(path)?)
    }

    fn xds(&self, path: &[&str]) -> Option<Vec<u8>> {
        match self.roots {
            Roots::Legacy => self.host.property(path).ok()?,
            Roots::Xds => {
                let mut rooted = Vec::with_capacity(path.len() + 1);
                rooted.push("xds");
                rooted.extend_from_slice(path);
                self.host.property(&rooted).ok()?
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
