//! The host's attributes of a connection that its labels follow from.

use std::rc::Rc;

use super::pair::{KnownPair, TlsPair};
use crate::bytes::Bytes;
use crate::config::Mode;
use crate::host::Host;
use crate::host::attributes::{Attributes, path};
use crate::labels::{Reporter, ResponseFlags};

/// The attributes of one connection. Equal attributes mean equal labels.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct ConnectionAttributes {
    pub(super) pair: Rc<KnownPair>,
    /// The number of the peer's [`PeerMetadata`](super::PeerMetadata).
    pub(super) metadata: Option<u64>,
    /// The client's TLS handshake is not over: it could not show a certificate yet.
    pub(super) is_handshaking: bool,
    pub(super) read: ReadAttributes,
}

/// The attributes that are read for each connection, besides its pair.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct ReadAttributes {
    /// The peer that a native exchange filter found, in mode `off`.
    pub(super) native: Option<Bytes<Vec<u8>>>,
    /// The URI SAN of the server behind a waypoint.
    pub(super) server_san: Option<Bytes<String>>,
    /// The server's `istio.workload`.
    pub(super) endpoint: Option<Bytes<String>>,
    pub(super) response_flags: ResponseFlags,
}

/// Attributes of a connection that were read before its labels are computed: an answer of the host
/// takes more time than the rest of a callback.
#[derive(Debug, Default)]
pub(crate) struct ReadBefore {
    /// The URI SAN of the upstream's certificate, if it was read after the TLS handshake.
    pub(crate) upstream_san: Option<Option<String>>,
    /// The URI SAN of the client's certificate, if it was read after the TLS handshake.
    pub(crate) client_san: Option<Option<String>>,
    /// The upstream's cluster.
    pub(crate) cluster: Option<String>,
}

impl ReadAttributes {
    /// Reads the attributes of the effective context, and the pair of its connection.
    /// `is_frame_complete`: the peer's frame has every field that the endpoint's metadata could
    /// have.
    pub(crate) fn read<H: Host>(
        attributes: &Attributes<'_, H>,
        mode: Mode,
        reporter: Reporter,
        before: ReadBefore,
        is_frame_complete: bool,
    ) -> (TlsPair, Self) {
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
                upstream_san.unwrap_or_else(|| attributes.text(path::UPSTREAM_PEER_SAN))
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
        let cluster = cluster.or_else(|| attributes.text(path::CLUSTER));
        let read = Self {
            native: native.map(Bytes),
            server_san: server_san.map(Bytes),
            endpoint: endpoint.map(Bytes),
            response_flags: ResponseFlags(attributes.response_flags()),
        };
        (TlsPair::new(reporter, cluster, peer_san), read)
    }
}

impl ConnectionAttributes {
    /// `metadata`: the number of the peer's [`PeerMetadata`](super::PeerMetadata).
    pub(crate) fn new(
        pair: Rc<KnownPair>,
        metadata: Option<u64>,
        is_handshaking: bool,
        read: ReadAttributes,
    ) -> Self {
        Self {
            pair,
            metadata,
            is_handshaking,
            read,
        }
    }

    /// About how many bytes it takes. The peer chooses the length of its certificate's SAN.
    pub(super) fn weight(&self) -> usize {
        let texts = [self.endpoint(), self.server_san()];
        let texts: usize = texts.into_iter().flatten().map(str::len).sum();
        let native = self.native().map_or(0, <[u8]>::len);
        texts
            .saturating_add(native)
            .saturating_add(self.pair.weight())
    }

    pub(super) fn reporter(&self) -> Reporter {
        self.pair.pair.reporter
    }

    /// The server's `istio.workload`.
    pub(super) fn endpoint(&self) -> Option<&str> {
        Some(self.read.endpoint.as_ref()?.0.as_str())
    }

    /// The peer that a native exchange filter found, in mode `off`.
    pub(super) fn native(&self) -> Option<&[u8]> {
        Some(self.read.native.as_ref()?.0.as_slice())
    }

    /// The URI SAN of the server behind a waypoint.
    pub(super) fn server_san(&self) -> Option<&str> {
        Some(self.read.server_san.as_ref()?.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::Replaceable;
    use super::*;

    #[test]
    fn the_weight_is_the_length_of_all_texts() {
        let pair = TlsPair::new(Reporter::Waypoint, Some("db".into()), None);
        let pair = KnownPair::new(1, pair, Replaceable::default(), 0);
        let read = ReadAttributes {
            native: Some(Bytes(vec![0; 100])),
            server_san: Some(Bytes("server".into())),
            endpoint: Some(Bytes("endpoint".into())),
            response_flags: ResponseFlags::default(),
        };
        let attributes = ConnectionAttributes::new(Rc::new(pair), None, false, read);
        assert_eq!(attributes.weight(), 2 + 100 + 6 + 8);
    }
}
