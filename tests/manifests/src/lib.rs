//! Validates and renders the manifests of `envoy-config/` like the systems that read them, and
//! reads what istiod makes of them.
//!
//! * [`consul`]: the filter of Consul's extension for Wasm.
//! * [`crd`]: the validation of a Kubernetes API server: the structural schemas of Istio's
//!   CustomResourceDefinitions and the CEL rules in them.
//! * [`golden`]: what istiod configured for the overlays.
//! * [`kustomize`]: the manifests of an overlay.
//! * [`pair`]: two running Envoys with what istiod configured.

pub mod consul;
pub mod crd;
mod error;
pub mod golden;
pub mod json_patch;
pub mod kustomize;
pub mod manifest;
pub mod pair;
mod workload;

pub use self::error::{Error, Result};
pub use self::manifest::Manifest;
pub use self::workload::{STAT_TAGS, WorkloadPatch};
