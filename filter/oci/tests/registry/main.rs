//! `cargo oci` with a real registry. skopeo, a second implementation of an agent's rules and Envoy
//! read the pushed images.

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
