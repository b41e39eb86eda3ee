//! Labels: the standard ones, their values, the metrics' names and how a stat's name encodes both.

mod label_set;
mod metric;
mod naming;
mod response_flags;
mod standard;
mod workload;

pub(crate) use label_set::{LabelSet, Reporter, SecurityPolicy, Service, first_known};
pub(crate) use metric::{
    DIAGNOSTICS, HTTP_METRICS, Metric, PEER_EXCHANGES, PEER_MISMATCHES, REUSED_METADATA,
    SERIES_OVERFLOWS, UNANSWERED_FRAMES, UNUSABLE_VALUES,
};
pub use naming::Naming;
pub(crate) use naming::{
    DEFAULT_MAX_VALUE_LEN, FLAG_SEPARATORS, ends_like, is_configuration, is_separator, sanitize,
};
pub(crate) use response_flags::ResponseFlags;
pub(crate) use standard::{LabelValue, RESPONSE_FLAGS, STANDARD_LABELS, StandardLabel, UNKNOWN};
pub(crate) use workload::Workload;
