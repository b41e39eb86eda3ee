//! The exchange: reads the peer's frame and writes this workload's.

mod context;
mod directions;
mod facts;
mod failure;
mod gates;
mod local;
mod progress;
mod reader;
mod refused;
mod state;

pub(crate) use context::ExchangeContext;
pub(crate) use local::LocalExchange;
pub use progress::Flow;
pub(crate) use state::Exchange;
