//! The filter's core: peer exchange and TCP stats, for any host.
//!
//! Data flows through five stages: **config → exchange → peer → labels → series**. A [`Plugin`] is
//! one configuration in one VM. Each of its [`Connection`]s reads the peer's frame in one
//! direction, writes this workload's frame in the other, and counts the payload under one frozen
//! label set. The core depends on neither proxy-wasm nor Envoy, only on the trait
//! [`Host`](host::Host).
//!
//! A module may import from the modules below it in this order: `plugin`, `connection`, `shared`,
//! `exchange`, `peer`, `series`, `config`, `labels`, `host`, `bytes`.
#![forbid(unsafe_code)]

/// The plugin's life cycle: configure, tick, new connection.
mod plugin;

/// One connection: bytes to payload, payload to counts.
mod connection;

/// State that all connections of a plugin share.
mod shared;

/// Stage 1, the configuration: JSON, expressions and the errors in them.
pub mod config;

/// Stage 2, the exchange: whether frames may be read and written, and the bytes of both.
mod exchange;

/// Stage 3, the peer: its metadata and certificates, resolved to labels.
mod peer;

/// Stage 4, the labels: the standard ones, their values, and their encoding in a stat's name.
mod labels;

/// Stage 5, the series: the label sets of all connections, and their counts until the host has
/// them.
mod series;

/// The host: its calls, its attributes and its messages.
pub mod host;

/// Bytes as a key that is compared eight at a time.
mod bytes;

#[cfg(test)]
mod tests;

pub use config::ExpressionError;
pub use connection::Connection;
pub use exchange::Flow;
pub use labels::Naming;
pub use plugin::Plugin;
