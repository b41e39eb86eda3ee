//! The filter's costs by callback, compared with a budget that is checked in.
//!
//! [`Figures::measure`] plays everyday situations in the host harness: whole connections, steady
//! data, ticks with very many
//! connections open. It counts what does not depend on the machine: WebAssembly instructions
//! (fuel), host calls, allocations and guest memory. [`Verdict::of`] compares that with
//! `budget.yaml`, [`targets`] with what the project set itself.
//!
//! Allocations are counted in a build of the filter that has the counter linked in; everything else
//! is measured in the artefact that ships.

mod cost;
mod error;
mod figures;
mod filters;
pub mod growth;
mod sidecar;
mod situations;
mod target;
mod verdict;

pub use cost::{Cost, Costs, total};
pub use error::Error;
pub use figures::{Figures, file};
pub use filters::Filters;
pub use sidecar::{Bench, Peers};
pub use target::{Target, targets};
pub use verdict::{Difference, Verdict};
