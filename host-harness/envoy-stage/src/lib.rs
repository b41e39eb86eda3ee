//! Real Envoys as a [`Stage`](host_harness::scenario::Stage) for scenarios.
//!
//! The sidecars are Envoys with the scenario's node, cluster, metadata and certificates; the
//! applications are sockets. Time is real: [`advance`](host_harness::scenario::Stage::advance)
//! sleeps, and an expectation is checked until its time limit. [`Envoys`] plays one scenario;
//! [`Batch`] plays many in the same Envoys.

mod apps;
mod barrier;
mod batch;
mod bootstrap;
mod connection;
mod deployed;
mod failures;
mod filters;
mod log;
mod program;
mod proxy;
mod stage;
mod start;

pub use barrier::{BARRIER, Barrier};
pub use batch::Batch;
pub use filters::{filter as network_filter, wasm as wasm_filter};
pub use log::PluginLog;
pub use program::Program;
pub use stage::Envoys;
pub use start::StartError;
