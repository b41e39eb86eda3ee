//! What the host and the peer say of a connection: all that its labels follow from.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use peer_exchange::Metadata;

use crate::attributes::{Attributes, path};
use crate::config::Mode;
use crate::host::Host;
use crate::labels::Reporter;
use crate::response_flags::ResponseFlags;
use crate::service;

/// The evidence, as it came. Equal evidence means equal labels.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct Evidence {
    pub(super) reporter: Reporter,
    /// What the peer told.
    pub(super) told: Option<Rc<Told>>,
    /// The peer that a native exchange filter left, where ours only counts.
    pub(super) native: Option<Vec<u8>>,
    /// The URI SANs of the connection between the two proxies: the peer's and our own.
    pub(super) peer_san: Option<String>,
    pub(super) local_san: Option<String>,
    /// The server's URI SAN behind a waypoint.
    pub(super) server_san: Option<String>,
    /// The server's `istio.workload`.
    pub(super) endpoint: Option<String>,
    /// The first of the cluster's `istio.services`.
    pub(super) service: Option<Vec<u8>>,
    /// The cluster's name, where its metadata does not name the service.
    pub(super) cluster: Option<String>,
    pub(super) response_flags: ResponseFlags,
}

/// What one frame tells; equal numbers are equal frames.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) metadata: Metadata,
}

impl Eq for Told {}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Hash for Told {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl Evidence {
    /// Asks the host about the connection of the effective context. `upstream_san` is the
    /// upstream's certificate if it is known already.
    pub(super) fn gather<H: Host>(
        attributes: &Attributes<'_, H>,
        mode: Mode,
        reporter: Reporter,
        told: Option<Rc<Told>>,
        upstream_san: Option<String>,
    ) -> Self {
        let native = match reporter {
            _ if mode != Mode::Off => None,
            Reporter::Source => attributes.bytes(path::NATIVE_UPSTREAM),
            Reporter::Destination | Reporter::Waypoint => attributes.bytes(path::NATIVE_DOWNSTREAM),
        };
        let upstream_san = || upstream_san.or_else(|| attributes.text(path::UPSTREAM_PEER_SAN));
        let (local_san, peer_san, server_san) = match reporter {
            Reporter::Source => (
                attributes.text(path::UPSTREAM_LOCAL_SAN),
                upstream_san(),
                None,
            ),
            Reporter::Destination => (
                attributes.text(path::LOCAL_SAN),
                attributes.text(path::PEER_SAN),
                None,
            ),
            Reporter::Waypoint => (
                attributes.text(path::LOCAL_SAN),
                attributes.text(path::PEER_SAN),
                upstream_san(),
            ),
        };
        let endpoint = match reporter {
            Reporter::Source | Reporter::Waypoint => attributes.text(path::ENDPOINT),
            Reporter::Destination => None,
        };
        let service = attributes.bytes(path::SERVICE);
        let cluster = match service.as_deref() {
            Some(service) if service::names_host(service) => None,
            _ => attributes.text(path::CLUSTER),
        };
        Self {
            reporter,
            told,
            native,
            peer_san,
            local_san,
            server_san,
            endpoint,
            service,
            cluster,
            response_flags: attributes.response_flags(),
        }
    }

    /// What the peer told.
    pub(super) fn exchanged(&self) -> Option<&Metadata> {
        self.told.as_deref().map(|told| &told.metadata)
    }
}
