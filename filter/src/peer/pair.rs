//! The two ends of a connection, as far as the control plane chooses them.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use crate::bytes::Bytes;
use crate::labels::Reporter;

/// The peer and the cluster of a connection: all connections of one pair use the same certificates.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct TlsPair {
    pub(crate) reporter: Reporter,
    cluster: Option<Bytes<String>>,
    peer_san: Option<Bytes<String>>,
}

impl TlsPair {
    /// `cluster`: the upstream cluster's name. `peer_san`: the URI SAN of the peer's certificate.
    pub(crate) fn new(
        reporter: Reporter,
        cluster: Option<String>,
        peer_san: Option<String>,
    ) -> Self {
        Self {
            reporter,
            cluster: cluster.map(Bytes),
            peer_san: peer_san.map(Bytes),
        }
    }

    /// The upstream cluster's name.
    pub(crate) fn cluster(&self) -> Option<&str> {
        self.cluster.as_ref().map(|cluster| cluster.0.as_str())
    }

    /// The URI SAN of the peer's certificate.
    pub(crate) fn peer_san(&self) -> Option<&str> {
        self.peer_san.as_ref().map(|san| san.0.as_str())
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let texts = [self.cluster(), self.peer_san()];
        texts.into_iter().flatten().map(str::len).sum()
    }
}

/// What the control plane may replace while the pair stays the same.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Replaceable {
    /// The URI SAN of this proxy's certificate.
    pub(crate) local_san: Option<String>,
    /// The first of the `istio.services` of the cluster.
    pub(crate) service: Option<Vec<u8>>,
}

impl Replaceable {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let san = self.local_san.as_ref().map_or(0, String::len);
        san.saturating_add(self.service.as_ref().map_or(0, Vec::len))
    }
}

/// A pair of earlier connections, and what was read of it.
#[derive(Debug)]
pub(crate) struct KnownPair {
    /// Equal pairs with equal replaceable facts have equal numbers, others have different ones.
    number: u64,
    pub(crate) pair: TlsPair,
    pub(crate) facts: Replaceable,
    /// The reporting interval in which the facts were read last.
    pub(super) read_in: Cell<u32>,
}

impl KnownPair {
    pub(super) fn new(number: u64, pair: TlsPair, facts: Replaceable, interval: u32) -> Self {
        Self {
            number,
            pair,
            facts,
            read_in: Cell::new(interval),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.pair.weight().saturating_add(self.facts.weight())
    }
}

impl PartialEq for KnownPair {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for KnownPair {}

impl Hash for KnownPair {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    fn known(number: u64) -> KnownPair {
        let pair = TlsPair::new(Reporter::Source, Some("db".into()), Some("peer".into()));
        let facts = Replaceable {
            local_san: Some("own".into()),
            service: Some(b"service".to_vec()),
        };
        KnownPair::new(number, pair, facts, 0)
    }

    /// The memory limit of the caches counts all texts.
    #[test]
    fn the_weight_of_a_pair_is_the_length_of_its_texts() {
        let known = known(1);
        assert_eq!((known.pair.weight(), known.facts.weight()), (6, 10));
        assert_eq!(known.weight(), 16);
    }

    #[test]
    fn pairs_of_one_number_have_one_hash() {
        let hasher = hashbrown::DefaultHashBuilder::default();
        let hash = |number| hasher.hash_one(known(number));
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }
}
