//! The files that users copy: judged as an API server would, rendered as istiod does, loaded and
//! run by real Envoys.
//!
//! One binary, so that the linker is paid once.

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
