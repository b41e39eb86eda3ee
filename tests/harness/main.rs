//! The filter in the host harness: the real .wasm, without Envoy, with simulated time.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod chaos;
mod chunking;
mod contexts;
mod exchange;
mod native_peer;
mod published_peer;
mod reporting;
mod sidecars;
mod timeline;
