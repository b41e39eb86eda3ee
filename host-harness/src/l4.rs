//! Envoy's L4: the filter chain of one connection, tcp_proxy behind it, and the applications at
//! both ends.

mod app;
mod app_state;
mod chunks;
mod connection;
mod filter;
mod grouping;
mod hop;
mod listener;
mod path;
mod proxy;
mod relay;
mod segment;

pub use app::App;
pub use chunks::Chunks;
pub use connection::Connection;
pub(crate) use filter::{Admission, Count};
pub use grouping::Grouping;
pub(crate) use hop::{Dialing, Hop};
pub(crate) use listener::Listener;
pub(crate) use path::{Link, Path, pump};
pub(crate) use proxy::Proxy;
pub use relay::Relay;
