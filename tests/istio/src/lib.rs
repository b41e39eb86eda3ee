//! A real Istio on one machine: its control plane, its injector and its agents, built from their Go
//! modules, with stock Envoys and the filter.
//!
//! [`tools`] builds the programs. [`isolation`] runs a job in namespaces of its own, which
//! [`namespace`] enters. In them, [`cluster`] has the API server, [`kubelet`] runs the containers of
//! pods, and a Prometheus can scrape them ([`scraping`]). [`overlay`] and
//! [`workload`] have the objects that users apply, [`istiod`] is the control plane, and [`run`]
//! starts all of them. [`envoy_gateway`] is another control plane. [`demo`], [`golden`] and [`suite`]
//! are the jobs. Each imports only those before it.

pub mod cluster;
pub mod command;
pub mod demo;
pub mod envoy_gateway;
pub mod error;
pub mod golden;
pub mod increase;
pub mod isolation;
pub mod istiod;
pub mod kubelet;
pub mod namespace;
pub mod overlay;
pub mod parts;
pub mod progress;
pub mod run;
pub mod scraping;
pub mod suite;
pub mod tools;
pub mod workload;

pub use self::error::{Error, Result};
