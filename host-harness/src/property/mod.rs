//! Properties: the typed values behind `proxy_get_property`, and which of them exist when.

mod attributes;
mod message;
mod state;
mod structs;
mod value;

pub(crate) use attributes::{PROXY_ATTRIBUTES, Scope, lookup, select};
pub use message::{Cluster, Node, UpstreamHost};
pub(crate) use state::{FilterState, Prototype, StateObject};
pub use value::Value;
