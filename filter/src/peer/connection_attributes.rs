//! What the host and the peer say of a connection: all that its labels follow from.

use peer_exchange::Metadata;

use crate::config::Mode;
use crate::host::Host;
use crate::host::attributes::{Attributes, path};
use crate::labels::Reporter;
use crate::labels::response_flags::ResponseFlags;

/// The evidence, as it came. Equal evidence means equal labels.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) link: Link,
    /// The client's TLS handshake is not over: it has had no chance to show a certificate.
    pub(crate) handshaking: bool,
    /// The URI SAN of our own certificate.
    pub(crate) local_san: Option<String>,
    /// The number of what the peer told.
    pub(crate) told: Option<u64>,
    /// The peer that a native exchange filter left, where ours only counts.
    pub(crate) native: Option<Vec<u8>>,
    /// The server's URI SAN behind a waypoint.
    pub(crate) server_san: Option<String>,
    /// The server's `istio.workload`.
    pub(crate) endpoint: Option<String>,
    /// The first of the cluster's `istio.services`.
    pub(crate) service: Option<Vec<u8>>,
    pub(crate) response_flags: ResponseFlags,
}

/// Between which proxies the connection is; both use the same certificates on all of them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Link {
    pub(crate) reporter: Reporter,
    /// The upstream cluster's name.
    pub(crate) cluster: Option<String>,
    /// The URI SAN of the peer's certificate.
    pub(crate) peer_san: Option<String>,
}

/// What one frame tells; equal numbers are equal frames.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) metadata: Metadata,
}

impl Evidence {
    /// Asks the host about the connection of the effective context. `handshaking` tells whether the
    /// client's TLS handshake is not over, `upstream_san` is the upstream's certificate if it is known
    /// already, `local_san` finds our own.
    pub(crate) fn gather<H: Host>(
        attributes: &Attributes<'_, H>,
        mode: Mode,
        reporter: Reporter,
        told: Option<&Told>,
        handshaking: bool,
        upstream_san: Option<String>,
        local_san: impl FnOnce(&Link) -> Option<String>,
    ) -> Self {
        let native = match reporter {
            _ if mode != Mode::Off => None,
            Reporter::Source => attributes.bytes(path::NATIVE_UPSTREAM),
            Reporter::Destination | Reporter::Waypoint => attributes.bytes(path::NATIVE_DOWNSTREAM),
        };
        let upstream_san = || upstream_san.or_else(|| attributes.text(path::UPSTREAM_PEER_SAN));
        let (peer_san, server_san) = match reporter {
            Reporter::Source => (upstream_san(), None),
            Reporter::Destination => (attributes.text(path::PEER_SAN), None),
            Reporter::Waypoint => (attributes.text(path::PEER_SAN), upstream_san()),
        };
        let endpoint = match reporter {
            Reporter::Source | Reporter::Waypoint => attributes.text(path::ENDPOINT),
            Reporter::Destination => None,
        };
        let link = Link {
            reporter,
            cluster: attributes.text(path::CLUSTER),
            peer_san,
        };
        Self {
            handshaking,
            local_san: local_san(&link),
            link,
            told: told.map(|told| told.number),
            native,
            server_san,
            endpoint,
            service: attributes.bytes(path::SERVICE),
            response_flags: attributes.response_flags(),
        }
    }

    /// How many bytes of it are in none of the facts.
    pub(crate) fn len(&self) -> usize {
        let raw = [&self.native, &self.service].into_iter().flatten();
        raw.map(Vec::len).sum()
    }
}
