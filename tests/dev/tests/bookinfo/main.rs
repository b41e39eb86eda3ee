//! Bookinfo in real Envoys, and its metrics in the tools of an Istio mesh, in this project's
//! dashboard and in its rules.

mod contracts;
mod dashboard;
mod demo;
mod docs;
mod grafana;
mod kiali;
mod live;
mod rules;
mod trouble;
