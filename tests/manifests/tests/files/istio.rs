//! The manifests for Istio: what istiod makes of them, and its effect in real Envoys.

mod bookinfo;
mod configured;
mod installations;
mod replaced;
mod tags;
mod traffic;
