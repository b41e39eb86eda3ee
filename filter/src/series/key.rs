//! The label sets of one connection in all metrics.

use std::rc::Rc;

use crate::bytes::Bytes;

/// The label sets of one connection: connections with equal keys are counted in the same series.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct SeriesKey {
    /// The encoded label sets, each the beginning of a stat's name.
    pub(super) label_sets: Vec<Bytes<String>>,
    pub(super) set_of: SetOfMetric,
}

/// The index of each metric's label set, by the index of the metric; `None` if the metric is left
/// out.
pub(super) type SetOfMetric = Rc<Vec<Option<u16>>>;

impl SeriesKey {
    /// Frees the memory that was reserved for longer label sets.
    pub(super) fn shrink_to_fit(&mut self) {
        for labels in &mut self.label_sets {
            labels.0.shrink_to_fit();
        }
    }

    /// The encoded labels of the metric at `index`; `None` if the metric is left out.
    pub(super) fn labels(&self, index: usize) -> Option<&str> {
        let set = (*self.set_of.get(index)?)?;
        Some(self.label_sets.get(usize::from(set))?.0.as_str())
    }
}
