//! The emulator compared with real Envoy: short runs of `cargo differential`, and named rules.

mod exchanges;
mod features;
mod named;
mod programs;
mod random;
