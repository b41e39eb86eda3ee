//! All of Bookinfo in real Envoys, and what the tools of an Istio mesh make of its metrics; our own dashboard and rules.

mod contracts;
mod dashboard;
mod demo;
mod docs;
mod grafana;
mod kiali;
mod live;
mod rules;
mod trouble;

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
