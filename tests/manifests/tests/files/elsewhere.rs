//! The snippets for Consul and for Envoy Gateway, loaded and run by real Envoys.

mod consul;
mod envoy_gateway;
mod support;
