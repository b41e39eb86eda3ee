//! Differential tests: a [`Scenario`] runs in the host harness and in real Envoy, and the
//! observations of the filter and of both applications must be equal. Where they differ, the
//! harness is wrong.
//!
//! A [`Scenario`] has one connection through one proxy with a probe filter. A [`Program`] has
//! several through one or two sidecars with several filters, chains, TLS and timers. An
//! [`Exchange`] has several through two sidecars with the filter of this repository. [`FEATURES`]
//! lists what they have of Envoy.

mod envoy;
mod error;
mod exchange;
mod features;
mod generate;
mod harness;
mod normal;
mod observed;
mod program;
mod run;
mod scenario;
mod shrink;
mod stage;
mod version;

pub use error::{Error, Result};
pub use exchange::{Exchange, Exchanges, Observation, random_exchange};
pub use features::{FEATURES, Feature, mix, table, with_table};
pub use generate::scenario as random;
pub use observed::{Arrived, Difference, Observed, Segment};
pub use program::{Emulator, Program, ProgramDifference, Programs, random_program};
pub use run::{Finding, Hosts};
pub use scenario::{Act, Scenario, Step};
pub use shrink::shrink;
