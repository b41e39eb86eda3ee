//! The host's attributes of a connection that its labels follow from.

use std::rc::Rc;

use crate::config::Mode;
use crate::host::Host;
use crate::host::attributes::{Attributes, path};
use crate::labels::{Reporter, ResponseFlags};

/// The attributes of one connection. Equal attributes mean equal labels.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct ConnectionAttributes {
    pub(crate) tls: TlsPair,
    /// The client's TLS handshake is not over: it could not show a certificate yet.
    pub(crate) is_handshaking: bool,
    /// The URI SAN of this proxy's certificate.
    pub(crate) local_san: Option<Rc<String>>,
    /// The number of the peer's [`PeerMetadata`](super::PeerMetadata).
    pub(crate) metadata: Option<u64>,
    /// The peer that a native exchange filter found, in mode `off`.
    pub(super) native: Option<Vec<u8>>,
    /// The URI SAN of the server behind a waypoint.
    pub(super) server_san: Option<String>,
    /// The server's `istio.workload`.
    pub(super) endpoint: Option<String>,
    /// The first of the cluster's `istio.services`.
    pub(crate) service: Option<Rc<Vec<u8>>>,
    pub(super) response_flags: ResponseFlags,
}

/// The peer and the cluster of a connection: all connections of one pair use the same certificates.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct TlsPair {
    pub(crate) reporter: Reporter,
    /// The upstream cluster's name.
    pub(crate) cluster: Option<String>,
    /// The URI SAN of the peer's certificate.
    pub(crate) peer_san: Option<String>,
}

/// Attributes of a connection that were read before its labels are computed: an answer of the host
/// takes more time than the rest of a callback.
#[derive(Debug, Default)]
pub(crate) struct ReadBefore {
    /// The URI SAN of the upstream's certificate.
    pub(crate) upstream_san: Option<String>,
    /// The URI SAN of the client's certificate, if it was read after the TLS handshake.
    pub(crate) client_san: Option<Option<String>>,
    /// The upstream's cluster.
    pub(crate) cluster: Option<String>,
}

impl ConnectionAttributes {
    /// Reads the attributes of the effective context. `is_frame_complete`: the peer's frame has every
    /// field that the endpoint's metadata could have.
    ///
    /// This proxy's SAN, the service and the number of the metadata remain unset.
    pub(crate) fn read<H: Host>(
        attributes: &Attributes<'_, H>,
        mode: Mode,
        reporter: Reporter,
        before: ReadBefore,
        is_frame_complete: bool,
    ) -> Self {
        let ReadBefore {
            upstream_san,
            client_san,
            cluster,
        } = before;
        let native = match reporter {
            _ if mode != Mode::Off => None,
            Reporter::Source => attributes.bytes(path::NATIVE_UPSTREAM),
            Reporter::Destination | Reporter::Waypoint => attributes.bytes(path::NATIVE_DOWNSTREAM),
        };
        let upstream_san = match reporter {
            Reporter::Source | Reporter::Waypoint => {
                upstream_san.or_else(|| attributes.text(path::UPSTREAM_PEER_SAN))
            }
            Reporter::Destination => None,
        };
        let (peer_san, server_san) = match reporter {
            Reporter::Source => (upstream_san, None),
            Reporter::Destination | Reporter::Waypoint => {
                let peer_san = client_san.unwrap_or_else(|| attributes.text(path::PEER_SAN));
                (peer_san, upstream_san)
            }
        };
        let endpoint = match reporter {
            // The frame's metadata precedes it: `PeerSources::workload`.
            Reporter::Source if is_frame_complete => None,
            Reporter::Source | Reporter::Waypoint => attributes.text(path::ENDPOINT),
            Reporter::Destination => None,
        };
        Self {
            tls: TlsPair {
                reporter,
                cluster: cluster.or_else(|| attributes.text(path::CLUSTER)),
                peer_san,
            },
            is_handshaking: false,
            local_san: None,
            metadata: None,
            native,
            server_san,
            endpoint,
            service: None,
            response_flags: ResponseFlags(attributes.response_flags()),
        }
    }

    /// The length of the attributes that no label contains as they are.
    pub(super) fn raw_len(&self) -> usize {
        let raw = [self.native.as_ref(), self.service.as_deref()];
        raw.into_iter().flatten().map(Vec::len).sum()
    }
}
