//! The filter's core: peer exchange and TCP stats, for any host.
//!
//! Data flows one way: **bytes → exchange → peer → labels → series → host**. A [`Plugin`] is one
//! configuration in one VM; each of its [`Connection`]s takes the peer's frame off one direction,
//! puts our own in front of the other, and counts what is left under one frozen label set. The
//! core knows neither proxy-wasm nor Envoy's binary: all it asks for is a [`Host`](host::Host).
#![forbid(unsafe_code)]

mod attributes;
pub mod config;
mod connection;
mod diagnostics;
mod envoy;
mod exchange;
#[cfg(test)]
mod fake;
pub mod host;
mod labels;
mod node;
mod peer;
mod plugin;
mod refused;
mod response_flags;
mod series;
mod service;

pub use connection::Connection;
pub use plugin::{MAX_SERIES, Plugin};
