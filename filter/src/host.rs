//! The host: its calls, its attributes and its messages.

pub(crate) mod attributes;
mod calls;
pub(crate) mod envoy;
#[cfg(test)]
pub(crate) mod fake;

pub use calls::{Buffer, ContextId, Host, MetricId, MetricKind, Status};
