//! The manifests of `envoy-config/`, judged as the systems judge them that would take them.
//!
//! * [`crd`]: what a Kubernetes API server says: the structural schemas of Istio's CustomResourceDefinitions and the CEL
//!   rules in them.
//! * [`kustomize`]: what an overlay comes to.

pub mod crd;
mod error;
pub mod kustomize;
pub mod manifest;

pub use self::error::{Error, Result};
pub use self::manifest::Manifest;
