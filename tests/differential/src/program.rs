//! Programs: scenarios of one or two sidecars with several filters, filter chains, TLS and
//! connections, in the emulator and in real Envoys, compared event by event.
//!
//! Many programs share two Envoys. Where real Envoys may see bytes in several orders, the
//! observation in Envoy must be one of those that the emulator has in these orders.

mod compare;
mod emulator;
mod generate;
mod observation;
mod reached;

pub use compare::{ProgramDifference, Programs};
pub use emulator::Emulator;
pub use generate::{Program, program as random_program};
