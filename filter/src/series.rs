//! Series: the label sets that connections are counted under, and the counts of the host's stats.

mod diagnostics;
mod extended;
mod key;
mod metric_labels;
mod outcome;
mod pending;
mod selection;
mod table;

pub(crate) use diagnostics::Diagnostics;
pub(crate) use extended::ExtendedMetrics;
pub(crate) use outcome::Outcome;
pub(crate) use selection::LabelSelection;
pub(crate) use table::{Series, SeriesTable};
