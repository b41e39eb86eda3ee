//! The peer: who is at the other end.

mod cache;
mod connection_attributes;
pub(crate) mod filter_state;
mod local_node;
mod native;
mod parts;
mod resolve;
mod resolved;
mod service;
mod sources;
mod weighted_cache;

pub(crate) use cache::Known;
pub(crate) use connection_attributes::{Evidence, Link, Told};
pub(crate) use local_node::LocalNode;
pub(crate) use resolved::Identity;
