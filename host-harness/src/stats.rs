//! Stats: the store of the metrics, tag extraction, and queries.

mod histogram;
mod query;
mod store;
mod tags;
mod text;

pub use query::{MetricError, MetricQuery, Series};
pub(crate) use store::Stats;
pub use tags::StatsTag;
