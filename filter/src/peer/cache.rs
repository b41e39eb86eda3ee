//! What is known of peers, from earlier connections.

use std::rc::Rc;

use peer_exchange::{InvalidFrame, Metadata, Payload};

use super::connection_attributes::{Evidence, Link, Told};
use super::resolved::Identity;
use super::weighted_cache::Cache;
use crate::labels::Workload;

/// What frames tell and what evidence amounts to.
#[derive(Debug, Default)]
pub(crate) struct Known {
    told: Cache<Payload, Told>,
    frames_read: u64,
    identities: Cache<Evidence, Identity>,
    /// The URI SANs of our own certificates.
    local_sans: Cache<Link, String>,
}

impl Known {
    /// What a frame tells of its sender; nothing if it has no metadata.
    ///
    /// # Errors
    /// It is worthless.
    pub(crate) fn read(&mut self, payload: Payload) -> Result<Option<Rc<Told>>, InvalidFrame> {
        if let Some(told) = self.told.get(&payload) {
            return Ok(Some(told));
        }
        let Some(metadata) = payload.frame()?.metadata() else {
            return Ok(None);
        };
        self.frames_read += 1;
        let told = Told {
            number: self.frames_read,
            metadata,
        };
        let weight = weight(&payload, &told.metadata);
        Ok(Some(self.told.insert(payload, weight, told)))
    }

    /// The URI SAN of the certificate that we use on a link. The host is asked with `read` once in a
    /// while only: Envoy's TLS library keeps what it had to parse for it with each connection.
    pub(crate) fn local_san(
        &mut self,
        link: &Link,
        read: impl FnOnce() -> Option<String>,
    ) -> Option<String> {
        if let Some(san) = self.local_sans.get(link) {
            return Some(String::clone(&san));
        }
        let san = read()?;
        let known = self.local_sans.insert(link.clone(), san.len(), san);
        Some(String::clone(&known))
    }

    /// Has the host asked again, as certificates are replaced now and then.
    pub(crate) fn forget_local_sans(&mut self) {
        self.local_sans = Cache::default();
    }

    /// What the evidence of a connection amounts to. `exchanged` is what the peer told, `local` this
    /// workload; texts that are published have up to `max` bytes.
    pub(crate) fn identify(
        &mut self,
        evidence: Evidence,
        exchanged: Option<&Metadata>,
        local: &Workload,
        max: usize,
    ) -> Rc<Identity> {
        if let Some(known) = self.identities.get(&evidence) {
            return known;
        }
        let identity = Identity::of(&evidence, exchanged, local, max);
        let weight = identity.weight().saturating_add(evidence.len());
        self.identities.insert(evidence, weight, identity)
    }
}

/// About how many bytes a frame takes, with what it tells: many short labels are more than they
/// are on the wire.
fn weight(payload: &Payload, metadata: &Metadata) -> usize {
    /// Two strings and what the allocator adds.
    const PAIR: usize = 2 * (size_of::<String>() + 16);
    let pairs = metadata.labels.len() + metadata.platform_metadata.len();
    pairs
        .saturating_mul(PAIR)
        .saturating_add(payload.as_bytes().len().saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_exchange::{Decoded, Decoder, Frame, Struct};

    fn payload(workload: &str) -> Payload {
        let frame = Frame::new(Struct::from_iter([("WORKLOAD_NAME", workload)]), "");
        match Decoder::default().decode(&frame.encode()).decoded {
            Decoded::Frame(payload) => payload,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_frames_are_read_once() {
        let mut known = Known::default();
        let mut read = |workload| {
            let told = known.read(payload(workload)).expect("a good frame");
            told.expect("metadata")
        };
        let (one, two, again) = (read("one"), read("two"), read("one"));
        assert!(Rc::ptr_eq(&one, &again));
        assert_ne!(one.number, two.number);
        assert_eq!(two.metadata.workload_name, "two");
    }

    #[test]
    fn a_frame_that_takes_too_much_is_not_kept() {
        let labels = (0..20_000).map(|index| (index.to_string(), "x"));
        let frame = Frame::new(
            Struct::from_iter([("LABELS", Struct::from_iter(labels))]),
            "",
        );
        let mut decoder = Decoder::new(u32::MAX);
        let Decoded::Frame(payload) = decoder.decode(&frame.encode()).decoded else {
            panic!("a whole frame");
        };
        let mut known = Known::default();
        let mut read = || known.read(payload.clone()).expect("a good frame");
        let (once, again) = (read().expect("metadata"), read().expect("metadata"));
        assert_ne!(once.number, again.number);
    }
}
