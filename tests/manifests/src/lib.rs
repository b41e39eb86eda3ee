//! The manifests of `envoy-config/`, judged as the systems judge them that would take them.
//!
//! * [`consul`]: what Consul makes of its extension for Wasm.
//! * [`crd`]: the validation of a Kubernetes API server: the structural schemas of Istio's
//!   CustomResourceDefinitions and the CEL rules in them.
//! * [`kustomize`]: what an overlay comes to.
//! * [`pair`]: two sidecars with such configurations, running.
//! * [`pilot`]: what istiod makes of EnvoyFilters and Wasm plugins: the configuration that a
//!   sidecar gets.

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
