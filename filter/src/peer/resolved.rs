//! The result of resolving a connection's attributes.

use std::cell::RefCell;
use std::rc::Rc;

use peer_exchange::Metadata;
use prost::Message as _;

use super::connection_attributes::ConnectionAttributes;
use super::filter_state;
use super::native;
use super::resolve::resolve;
use crate::config::ExpressionValues;
use crate::labels::{LabelSet, Workload};
use crate::series::Series;

/// The longest values of expressions that are kept, in bytes: other filters choose them, and the
/// weight of an entry in the cache has this much room for them.
const MAX_VALUES_LEN: usize = 512;

/// Everything that equal [`ConnectionAttributes`] have in common.
#[derive(Debug)]
pub(crate) struct ResolvedPeer {
    pub(crate) labels: LabelSet,
    /// The peer claims another namespace than its certificate has.
    pub(crate) namespace_mismatch: bool,
    /// The encoded peer for the filter state; empty if nothing is known of it.
    pub(crate) filter_state: Vec<u8>,
    /// The series of the last such connection, and the values of the expressions on it.
    last: RefCell<Option<(ExpressionValues, Rc<Series>)>>,
}

impl ResolvedPeer {
    /// `metadata` is the peer's, `local` is this workload; texts in the filter state have up to
    /// `max_len` bytes.
    pub(super) fn new(
        attributes: &ConnectionAttributes,
        metadata: Option<&Metadata>,
        local: &Workload,
        max_len: usize,
    ) -> Self {
        let (labels, namespace_mismatch) = resolve(attributes, metadata, local);
        let mut peer = filter_state::peer(labels.peer(), metadata, max_len);
        if let Some(native) = attributes.native().and_then(native::fields) {
            filter_state::add_native(&mut peer, &native, max_len);
        }
        Self {
            labels,
            namespace_mismatch,
            filter_state: peer.encode_to_vec(),
            last: RefCell::default(),
        }
    }

    /// The series of the last such connection, if its expressions had these values.
    pub(crate) fn last_series(&self, values: &ExpressionValues) -> Option<Rc<Series>> {
        let last = self.last.borrow();
        let (of, series) = last.as_ref()?;
        (of == values).then(|| Rc::clone(series))
    }

    /// Keeps the series of a connection whose expressions had these values.
    pub(crate) fn keep_series(&self, values: &ExpressionValues, series: &Rc<Series>) {
        if values.len() <= MAX_VALUES_LEN {
            self.last.replace(Some((values.clone(), Rc::clone(series))));
        }
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let labels = self.labels.values();
        let labels: usize = labels.iter().map(|value| value.len()).sum();
        self.filter_state.len().saturating_add(labels)
    }
}
