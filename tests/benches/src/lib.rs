//! What the benches share: the filter and one that does nothing, as .wasm and linked in.
//!
//! Times are the harness' model and the filter together; the difference to the empty filter is the filter's own.

use std::time::Duration;

use budget::{Bench, Error, Filters, Peers};
use criterion::Criterion;
use host_harness::scenario::Side;
use host_harness::{Module, native, native_filter};
use tcp_peer_stats as _;

/// A filter on a back end.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Which one on which.
    pub name: &'static str,
    module: Module,
    peers: Peers,
}

impl Subject {
    /// All four; the filter's peers are this many.
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
        let nobody = Peers::default();
        Ok([
            subject("wasm", filters.shipped, &peers),
            subject("wasm, empty", filters.empty, &nobody),
            subject("native", native_filter!(), &peers),
            subject("native, empty", native::empty(), &nobody),
        ])
    }

    /// Starts an inbound sidecar with it.
    ///
    /// # Errors
    /// The filter does not start.
    pub fn start(&self) -> Result<Bench, Error> {
        Bench::start(Side::Inbound, &self.module, &self.peers)
    }
}

/// Criterion, with so many samples as a busy machine has time for.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}
