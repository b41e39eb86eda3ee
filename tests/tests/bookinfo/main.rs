//! All of Bookinfo in real Envoys, and what the tools of an Istio mesh make of its metrics.

mod contracts;
mod demo;
mod grafana;
mod kiali;

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
