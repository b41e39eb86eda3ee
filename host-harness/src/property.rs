//! Typed property values, the messages that contain them, and filter state.

mod message;
mod state;
mod structs;
mod value;

pub use message::{Cluster, Node, UpstreamHost};
pub(crate) use state::{FilterState, Prototype, StateObject};
pub use value::Value;
