//! The peer: its metadata, its labels and its message in the filter state.

mod cache;
mod connection_attributes;
pub(crate) mod filter_state;
mod known_clients;
mod local_node;
mod native;
mod pair;
mod parts;
mod resolve;
mod resolved;
mod service;
mod sources;
mod weighted_cache;

pub(crate) use cache::{PeerCache, PeerMetadata};
pub(crate) use connection_attributes::{ConnectionAttributes, ReadAttributes, ReadBefore};
pub(crate) use known_clients::{Client, KnownClients};
pub(crate) use local_node::LocalNode;
pub(crate) use pair::{KnownPair, Replaceable, TlsPair};
pub(crate) use resolved::ResolvedPeer;
