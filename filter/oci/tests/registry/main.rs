//! `cargo oci` against a real registry, read back by skopeo, by an agent's rules written down a
//! second time, and by Envoy.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod agent;
#[path = "../command/mod.rs"]
mod command;
mod envoy;
mod fixture;
mod images;
mod reading;
mod refusals;
