//! A real Istio on one machine: its control plane, its injector and its agents, built from their Go
//! modules, with stock Envoys and the filter.
//!
//! [`tools`] builds the programs. [`isolation`] runs a job in namespaces of its own. In them,
//! [`cluster`] has the API server, [`kubelet`] runs the containers of pods, and [`istiod`] is the
//! control plane; [`run`] starts all of them. [`overlay`] and [`workload`] have the objects that
//! users apply. [`demo`] and [`suite`] are the jobs. Each imports only those before it.

pub mod cluster;
pub mod command;
pub mod demo;
pub mod error;
pub mod increase;
pub mod isolation;
pub mod istiod;
pub mod kubelet;
pub mod overlay;
pub mod parts;
pub mod progress;
pub mod run;
pub mod suite;
pub mod tools;
pub mod workload;

pub use self::error::{Error, Result};
