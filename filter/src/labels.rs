//! The labels: their names, their values and how they travel in a stat's name.

pub(crate) mod metric;
pub(crate) mod naming;
pub(crate) mod response_flags;
mod standard;

pub use naming::Naming;
pub(crate) use standard::{
    Labels, RESPONSE_FLAGS, Reporter, STANDARD_LABELS, SecurityPolicy, Service, UNKNOWN, Workload,
    either,
};
