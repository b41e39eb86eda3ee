//! What the overlays make of a sidecar, and what real Envoys do with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;
mod sidecars {
    mod chains;
    mod tags;
    mod traffic;
    mod validate;
}
