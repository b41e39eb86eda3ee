//! Validates and renders the manifests of `envoy-config/` like the systems that read them.
//!
//! * [`consul`]: the filter of Consul's extension for Wasm.
//! * [`crd`]: the validation of a Kubernetes API server: the structural schemas of Istio's
//!   CustomResourceDefinitions and the CEL rules in them.
//! * [`kustomize`]: the manifests of an overlay.
//! * [`pair`]: two running sidecars with such configurations.
//! * [`pilot`]: the configuration that istiod generates for a sidecar from EnvoyFilters and Wasm
//!   plugins.

pub mod consul;
pub mod crd;
mod error;
pub mod json_patch;
pub mod kustomize;
pub mod manifest;
pub mod pair;
pub mod pilot;
mod workload;

pub use self::error::{Error, Result};
pub use self::manifest::Manifest;
pub use self::workload::{STAT_TAGS, WorkloadPatch};
