//! Envoy's L4: the filter chain of one connection, tcp_proxy behind it, and the applications at
//! both ends.

mod app;
mod app_state;
mod chances;
mod chunks;
mod connection;
mod filter;
mod generation;
mod hop;
mod listener;
mod path;
mod proxy;
mod relay;
mod segment;
mod transit;

pub use app::App;
pub use chances::{Chance, Chances};
pub use chunks::Chunks;
pub use connection::Connection;
pub(crate) use filter::{Admission, Count};
pub(crate) use generation::{Generation, Updates};
pub(crate) use hop::{Dialing, Hop};
pub(crate) use listener::Listener;
pub(crate) use path::{Link, Path, pump};
pub(crate) use proxy::Proxy;
pub use relay::Relay;
