//! The filter's costs by callback, compared with a checked-in budget.
//!
//! [`Figures::measure`] plays typical situations in the host harness: whole connections, steady
//! data, ticks with very many open connections. It counts values that do not depend on the machine:
//! WebAssembly instructions (fuel), host calls, allocations and guest memory. [`Verdict::of`]
//! compares them with `budget.yaml`, [`targets`] with the targets of the project.
//!
//! Allocations are counted in a build of the filter with a linked counter; all other values are
//! measured in the shipped artefact.

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
