//! The exchange: reads the peer's frame and writes this workload's.

mod context;
mod directions;
mod facts;
mod failure;
mod local;
mod permission;
mod progress;
mod proofs;
mod reader;
mod state;

pub(crate) use context::ExchangeContext;
pub(crate) use local::LocalExchange;
pub use progress::Flow;
pub(crate) use state::Exchange;
