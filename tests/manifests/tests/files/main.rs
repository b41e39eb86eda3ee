//! The files that users copy: validated as by an API server, rendered as by istiod, loaded and run
//! by real Envoys.
//!
//! One test binary, which is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod crds;
mod elsewhere;
mod host_names;
mod istio;
mod kustomize;
mod plain;
