//! What the manifests for Istio make of sidecars, and what real Envoys do with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod istio {
    mod bookinfo;
    mod chains;
    mod support;
    mod tags;
    mod traffic;
    mod validate;
}
