//! Properties: the typed values behind `proxy_get_property`, and which of them exist when.

mod attributes;
mod message;
mod value;

pub(crate) use attributes::{PROXY_ATTRIBUTES, Scope, lookup};
pub use message::{Cluster, Node, UpstreamHost};
pub use value::Value;
