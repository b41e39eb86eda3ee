//! What the manifests for Istio make of sidecars, and what real Envoys do with it.

mod bookinfo;
mod chains;
mod support;
mod tags;
mod traffic;
mod validate;
