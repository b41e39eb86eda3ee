//! Differential tests: a [`Scenario`] runs in the host harness and in real Envoy, and the
//! observations of the filter and of both applications must be equal. Where they differ, the
//! harness is wrong.

mod envoy;
mod error;
mod generate;
mod harness;
mod normal;
mod observed;
mod run;
mod scenario;
mod shrink;

pub use error::{Error, Result};
pub use generate::scenario as random;
pub use observed::{Arrived, Difference, Observed, Segment};
pub use run::{Finding, Hosts};
pub use scenario::{Act, Scenario, Step};
pub use shrink::shrink;
