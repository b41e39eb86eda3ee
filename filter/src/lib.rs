//! The filter's core: peer exchange and TCP stats, for any host.
//!
//! Data flows one way: **bytes → exchange → peer → labels → series → host**. A [`Plugin`] is one
//! configuration in one VM; each of its [`Connection`]s takes the peer's frame off one direction,
//! puts our own in front of the other, and counts what is left under one frozen label set. The
//! core knows neither proxy-wasm nor Envoy's binary: all it asks for is a [`Host`](host::Host).
#![forbid(unsafe_code)]

mod attributes;
mod cache;
pub mod config;
mod connection;
mod diagnostics;
mod envoy;
mod exchange;
mod expression;
mod extended;
#[cfg(test)]
mod fake;
pub mod host;
mod instrument;
mod known;
mod labels;
mod layout;
mod metric;
mod naming;
mod nearest;
mod node;
mod parts;
mod peer;
mod plugin;
mod publish;
mod refused;
mod response_flags;
mod series;
mod service;

pub use connection::{Connection, Flow};
pub use expression::ExpressionError;
pub use naming::Naming;
pub use plugin::Plugin;
