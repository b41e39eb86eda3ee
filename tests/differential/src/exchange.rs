//! Two sidecars with the filter of this repository, in the emulator and in real Envoys: whether a
//! frame is written and read depends on facts, on earlier connections and on the order of the
//! bytes, and no application may notice.
//!
//! Where real Envoys may see bytes in several orders, the observation in Envoy must be one of those
//! that the emulator has in these orders.

mod compare;
mod generate;
mod observation;

pub use compare::{Exchange, Exchanges};
pub use generate::program as random_exchange;
pub use observation::Observation;
