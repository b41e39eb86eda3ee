//! The host: its calls, its attributes and its messages.

pub(crate) mod attributes;
mod calls;
pub(crate) mod envoy;
#[cfg(test)]
pub(crate) mod fake;
mod status;
mod warnings;

pub use calls::{Buffer, ContextId, Host, MetricId, MetricKind};
pub use status::{HostError, Status};
pub(crate) use warnings::Warnings;
