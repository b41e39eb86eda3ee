//! The emulator compared with real Envoy: short runs of `cargo differential`, and named rules.

mod exchanges;
mod named;
mod random;
