//! The cache of peers, from earlier connections.

use std::rc::Rc;

use peer_exchange::{InvalidFrame, Metadata, Payload};

use super::connection_attributes::{ConnectionAttributes, TlsPair};
use super::resolved::ResolvedPeer;
use super::sources;
use super::weighted_cache::WeightedCache;
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

/// The decoded frames and the resolved peers of earlier connections.
#[derive(Debug, Default)]
pub(crate) struct PeerCache {
    metadata: WeightedCache<Payload, PeerMetadata>,
    frames_decoded: u64,
    resolved: WeightedCache<ConnectionAttributes, ResolvedPeer>,
    /// The URI SANs of this proxy's certificates.
    local_sans: WeightedCache<TlsPair, String>,
    /// The services of the clusters.
    services: WeightedCache<String, Vec<u8>>,
}

impl PeerCache {
    /// The metadata in a frame's payload; `None` if it has none.
    ///
    /// # Errors
    /// The payload is malformed.
    pub(crate) fn decode(
        &mut self,
        payload: Payload,
    ) -> Result<Option<Rc<PeerMetadata>>, InvalidFrame> {
        if let Some(cached) = self.metadata.get(&payload) {
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
        Ok(Some(self.metadata.insert(payload, weight, decoded)))
    }

    /// The URI SAN of this proxy's certificate on the connections of `pair`. Only the first call
    /// for a pair calls `read`: Envoy's TLS library keeps the parsed certificate with each
    /// connection whose SAN is read.
    pub(crate) fn local_san(
        &mut self,
        pair: &TlsPair,
        read: impl FnOnce() -> Option<String>,
    ) -> Option<Rc<String>> {
        if let Some(san) = self.local_sans.get(pair) {
            return Some(san);
        }
        let san = read()?;
        Some(self.local_sans.insert(pair.clone(), san.len(), san))
    }

    /// The first of the `istio.services` of `cluster`. Only the first call for a cluster calls
    /// `read`: it is the dearest of the attributes, as Envoy reads it by reflection.
    pub(crate) fn service(
        &mut self,
        cluster: &str,
        read: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Option<Rc<Vec<u8>>> {
        if let Some(service) = self.services.get(cluster) {
            return Some(service);
        }
        let service = read()?;
        let weight = cluster.len().saturating_add(service.len());
        Some(self.services.insert(cluster.to_owned(), weight, service))
    }

    /// Drops what the control plane may replace: the SANs of this proxy's certificates and the
    /// services of the clusters.
    pub(crate) fn drop_replaceable(&mut self) {
        self.local_sans = WeightedCache::default();
        self.services = WeightedCache::default();
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
        let weight = resolved.weight().saturating_add(attributes.raw_len());
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

    fn payload(workload: &str) -> Payload {
        let frame = Frame::new(Struct::from_iter([("WORKLOAD_NAME", workload)]), "");
        match Decoder::default().decode(&frame.encode()).decoded {
            Decoded::Frame(payload) => payload,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_frames_are_decoded_once() {
        let mut cache = PeerCache::default();
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
        let mut cache = PeerCache::default();
        let mut decode = || cache.decode(payload.clone()).expect("a good frame");
        let (once, again) = (decode().expect("metadata"), decode().expect("metadata"));
        assert_ne!(once.number, again.number);
    }
}
