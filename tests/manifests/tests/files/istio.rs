//! The manifests for Istio: the configuration of sidecars, and its effect in real Envoys.

mod bookinfo;
mod chains;
mod clients;
mod exchange;
mod running;
mod support;
mod tags;
mod traffic;
mod validate;
