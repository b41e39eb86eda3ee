//! Envoy's L4: the filter chain of one connection, tcp_proxy behind it, and the applications at both ends.

mod app;
mod chunks;
mod connection;
mod hop;
mod relay;
mod segment;

pub use app::App;
pub use chunks::Chunks;
pub use connection::Connection;
pub(crate) use connection::{Path, pump};
pub(crate) use hop::{Dialing, Hop};
pub use relay::Relay;
