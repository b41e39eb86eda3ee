//! The filter's core: peer exchange and TCP stats, for any host.
//!
//! Data flows one way: **config → exchange → peer → labels → series**. A [`Plugin`] is one
//! configuration in one VM; each of its [`Connection`]s takes the peer's frame off one direction,
//! puts our own in front of the other, and counts what is left under one frozen label set. The
//! core knows neither proxy-wasm nor Envoy's binary: all it asks for is a [`Host`](host::Host).
#![forbid(unsafe_code)]

pub mod config;
mod connection;
mod exchange;
pub mod host;
mod labels;
mod peer;
mod plugin;
mod series;
#[cfg(test)]
mod tests;

pub use config::ExpressionError;
pub use connection::{Connection, Flow};
pub use labels::Naming;
pub use plugin::Plugin;
