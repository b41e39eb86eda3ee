//! Real Envoys as a [`Stage`](host_harness::scenario::Stage) for scenarios.
//!
//! The sidecars are Envoys with the scenario's node, cluster, metadata and certificates; the
//! applications are sockets. Time is real: [`advance`](host_harness::scenario::Stage::advance)
//! sleeps, and an expectation is checked until its time limit.

mod apps;
mod bootstrap;
mod connection;
mod failures;
mod stage;
mod start;

pub use stage::Envoys;
pub use start::StartError;
