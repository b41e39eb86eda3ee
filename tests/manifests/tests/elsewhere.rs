//! The snippets for Consul and for Envoy Gateway, loaded and run by real Envoys.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod elsewhere {
    mod consul;
    mod envoy_gateway;
    mod support;
}
