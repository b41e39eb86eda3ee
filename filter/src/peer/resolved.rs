//! Who takes part in a connection, and what follows from it for all connections alike.

use std::cell::OnceCell;
use std::rc::Rc;

use peer_exchange::Metadata;
use prost::Message as _;

use super::connection_attributes::Evidence;
use super::filter_state;
use super::native;
use super::resolve::Facts;
use crate::labels::Workload;
use crate::series::Series;

/// What equal [`Evidence`] amounts to.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) facts: Facts,
    /// The peer for others, encoded; empty when nothing is known of it.
    pub(crate) published: Vec<u8>,
    /// Where such connections are counted, if that follows from nothing else.
    pub(crate) series: OnceCell<Rc<Series>>,
}

impl Identity {
    /// `exchanged` is what the peer told, `local` this workload; the texts that are published have
    /// up to `max` bytes.
    pub(crate) fn of(
        evidence: &Evidence,
        exchanged: Option<&Metadata>,
        local: &Workload,
        max: usize,
    ) -> Self {
        let facts = Facts::of(evidence, exchanged, local);
        let mut published = filter_state::describe(facts.peer(), exchanged, max);
        if let Some(native) = evidence.native.as_deref().and_then(native::fields) {
            filter_state::complete(&mut published, &native, max);
        }
        Self {
            published: published.encode_to_vec(),
            facts,
            series: OnceCell::new(),
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        self.published.len().saturating_add(self.facts.len())
    }
}
