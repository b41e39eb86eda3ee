//! The cache of peers, from earlier connections.

use std::rc::Rc;

use peer_exchange::{InvalidFrame, Metadata, Payload};

use super::connection_attributes::ConnectionAttributes;
use super::pair::{KnownPair, Replaceable, TlsPair};
use super::resolved::ResolvedPeer;
use super::sources;
use super::weighted_cache::WeightedCache;
use crate::bytes::Bytes;
use crate::labels::Workload;

/// The metadata of a peer's frame.
#[derive(Debug)]
pub(crate) struct PeerMetadata {
    /// Frames with equal payloads have equal numbers, others have different ones.
    pub(crate) number: u64,
    pub(crate) metadata: Metadata,
    /// The metadata has every field that the endpoint's metadata could have.
    pub(crate) is_complete: bool,
    /// About how many bytes it takes.
    pub(crate) weight: usize,
}

/// The decoded frames, the pairs and the resolved peers of earlier connections.
#[derive(Debug)]
pub(crate) struct PeerCache {
    metadata: WeightedCache<Bytes<Vec<u8>>, PeerMetadata>,
    frames_decoded: u64,
    /// The pairs with the facts that were read last.
    pairs: WeightedCache<TlsPair, KnownPair>,
    numbers: WeightedCache<(TlsPair, Replaceable), u64>,
    pairs_numbered: u64,
    resolved: WeightedCache<ConnectionAttributes, ResolvedPeer>,
}

impl PeerCache {
    /// `max_weight`: about how many bytes each of its maps takes.
    pub(crate) fn new(max_weight: usize) -> Self {
        Self {
            metadata: WeightedCache::new(max_weight),
            frames_decoded: 0,
            pairs: WeightedCache::new(max_weight),
            numbers: WeightedCache::new(max_weight),
            pairs_numbered: 0,
            resolved: WeightedCache::new(max_weight),
        }
    }

    /// The metadata in a frame's payload; `None` if it has none.
    ///
    /// # Errors
    /// The payload is malformed.
    pub(crate) fn decode(
        &mut self,
        payload: Payload,
    ) -> Result<Option<Rc<PeerMetadata>>, InvalidFrame> {
        if let Some(cached) = self.metadata.get(&Bytes(payload.as_bytes())) {
            return Ok(Some(cached));
        }
        let Some(metadata) = payload.frame()?.metadata() else {
            return Ok(None);
        };
        self.frames_decoded += 1;
        let weight = weight(&payload, &metadata);
        let decoded = PeerMetadata {
            number: self.frames_decoded,
            is_complete: sources::is_complete(&metadata),
            metadata,
            weight,
        };
        let key = Bytes(payload.into_bytes());
        Ok(Some(self.metadata.insert(key, weight, decoded)))
    }

    /// A pair with its facts in the reporting interval `interval`. `read` gets those that were read
    /// before in this interval, if any, and returns `None` if they are still right.
    pub(crate) fn pair(
        &mut self,
        pair: TlsPair,
        interval: u32,
        read: impl FnOnce(&TlsPair, Option<&Replaceable>) -> Option<Replaceable>,
    ) -> Rc<KnownPair> {
        let known = self.pairs.get(&pair);
        let current = known
            .as_ref()
            .filter(|known| known.read_in.get() == interval);
        let facts = read(&pair, current.map(|known| &known.facts));
        if let Some(known) = known
            && facts.as_ref().is_none_or(|facts| *facts == known.facts)
        {
            known.read_in.set(interval);
            return known;
        }
        let facts = facts.unwrap_or_default();
        let number = self.number(&pair, &facts);
        let known = KnownPair::new(number, pair.clone(), facts, interval);
        self.pairs.insert(pair, known.weight(), known)
    }

    /// The facts of a pair can alternate, as the certificates of two filter chains in front of one
    /// cluster do: they get their number again.
    fn number(&mut self, pair: &TlsPair, facts: &Replaceable) -> u64 {
        let key = (pair.clone(), facts.clone());
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        self.pairs_numbered += 1;
        let weight = pair.weight().saturating_add(facts.weight());
        *self.numbers.insert(key, weight, self.pairs_numbered)
    }

    /// Resolves the attributes of a connection. `metadata` is the peer's, `local` is this workload;
    /// texts in the filter state have up to `max_len` bytes.
    pub(crate) fn resolve(
        &mut self,
        attributes: ConnectionAttributes,
        metadata: Option<&Metadata>,
        local: &Workload,
        max_len: usize,
    ) -> Rc<ResolvedPeer> {
        if let Some(cached) = self.resolved.get(&attributes) {
            return cached;
        }
        let resolved = ResolvedPeer::new(&attributes, metadata, local, max_len);
        let weight = resolved.weight().saturating_add(attributes.weight());
        self.resolved.insert(attributes, weight, resolved)
    }
}

/// About how many bytes a payload and its metadata take. Many short labels take more than on the
/// wire.
fn weight(payload: &Payload, metadata: &Metadata) -> usize {
    /// Two strings and the allocator's overhead.
    const PAIR: usize = 2 * (size_of::<String>() + 16);
    let pairs = metadata.labels.len() + metadata.platform_metadata.len();
    pairs
        .saturating_mul(PAIR)
        .saturating_add(payload.as_bytes().len().saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use peer_exchange::{Decoded, Decoder, Frame, Struct};

    use super::*;
    use crate::labels::Reporter;

    const MAX: usize = 1024 * 1024;

    fn payload(workload: &str) -> Payload {
        let frame = Frame::new(Struct::from_iter([("WORKLOAD_NAME", workload)]), "");
        match Decoder::default().decode(&frame.encode()).decoded {
            Decoded::Frame(payload) => payload,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_frames_are_decoded_once() {
        let mut cache = PeerCache::new(MAX);
        let mut decode = |workload| {
            let decoded = cache.decode(payload(workload)).expect("a good frame");
            decoded.expect("metadata")
        };
        let (one, two, again) = (decode("one"), decode("two"), decode("one"));
        assert!(Rc::ptr_eq(&one, &again));
        assert_ne!(one.number, two.number);
        assert_eq!(two.metadata.workload_name, "two");
    }

    #[test]
    fn a_frame_over_the_memory_limit_is_not_cached() {
        let labels = (0..20_000).map(|index| (index.to_string(), "x"));
        let frame = Frame::new(
            Struct::from_iter([("LABELS", Struct::from_iter(labels))]),
            "",
        );
        let mut decoder = Decoder::new(u32::MAX);
        let Decoded::Frame(payload) = decoder.decode(&frame.encode()).decoded else {
            panic!("a whole frame");
        };
        let mut cache = PeerCache::new(MAX);
        let mut decode = || cache.decode(payload.clone()).expect("a good frame");
        let (once, again) = (decode().expect("metadata"), decode().expect("metadata"));
        assert_ne!(once.number, again.number);
    }

    #[test]
    fn facts_that_alternate_get_their_number_again() {
        let mut cache = PeerCache::new(MAX);
        let mut known = |san: &str, interval| {
            let pair = TlsPair::new(Reporter::Destination, Some("inbound".into()), None);
            let facts = Replaceable {
                local_san: Some(san.into()),
                service: None,
            };
            cache.pair(pair, interval, |_, _| Some(facts))
        };
        let (one, two, again) = (known("one", 0), known("two", 0), known("one", 1));
        assert_eq!(one, again);
        assert_ne!(one, two);
        assert_eq!(again.facts.local_san.as_deref(), Some("one"));
    }

    #[test]
    fn facts_of_the_same_interval_are_offered_and_kept() {
        let mut cache = PeerCache::new(MAX);
        let pair = || {
            TlsPair::new(
                Reporter::Source,
                Some("db".into()),
                Some("spiffe://db".into()),
            )
        };
        let facts = Replaceable {
            local_san: Some("own".into()),
            service: Some(b"service".to_vec()),
        };
        let first = cache.pair(pair(), 7, |_, current| {
            assert_eq!(current, None);
            Some(facts.clone())
        });
        let same = cache.pair(pair(), 7, |_, current| {
            assert_eq!(current, Some(&facts));
            None
        });
        let next = cache.pair(pair(), 8, |_, current| {
            assert_eq!(current, None, "a new interval reads again");
            Some(facts.clone())
        });
        assert!(Rc::ptr_eq(&first, &same) && Rc::ptr_eq(&first, &next));
    }
}
