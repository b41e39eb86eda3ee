//! The subjects of the benches: the filter and an empty filter, as .wasm and linked in.
//!
//! A time includes the harness and the filter. The difference from the empty filter is the time of
//! the filter.

use std::time::Duration;

use budget::{Bench, Error, Filters, Peers};
use criterion::Criterion;
use host_harness::scenario::Side;
use host_harness::{Module, native, native_filter};
use tcp_peer_stats as _;

/// A filter and its VM: wasmtime, or native for a filter that is linked in.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The names of the VM and the filter.
    pub name: &'static str,
    module: Module,
    peers: Peers,
}

impl Subject {
    /// Returns all four subjects. `peers`: the number of the filter's peers.
    ///
    /// # Errors
    /// A filter does not compile or start.
    pub fn all(peers: usize) -> Result<[Self; 4], Error> {
        let filters = Filters::build()?;
        let peers = Peers::of(&filters.shipped, peers)?;
        let subject = |name, module, peers: &Peers| Self {
            name,
            module,
            peers: peers.clone(),
        };
        let no_peers = Peers::default();
        Ok([
            subject("wasm", filters.shipped, &peers),
            subject("wasm, empty", filters.empty, &no_peers),
            subject("native", native_filter!(), &peers),
            subject("native, empty", native::empty(), &no_peers),
        ])
    }

    /// Starts an inbound sidecar with the filter.
    ///
    /// # Errors
    /// The filter does not start.
    pub fn start(&self) -> Result<Bench, Error> {
        Bench::start(Side::Inbound, &self.module, &self.peers)
    }
}

/// Criterion with few samples, for a busy machine.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}
