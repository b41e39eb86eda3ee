//! Commands for developers and users: `cargo demo`, `cargo live`, `cargo soak`, `cargo matrix` and the benchmark
//! of real Envoys. Each binary in `src/bin` is a few lines; the work is in these modules.

pub mod bench;
pub mod cost;
pub mod demo;
pub mod live;
pub mod matrix;
pub mod soak;
