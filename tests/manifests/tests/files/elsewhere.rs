//! The snippets for Consul and for Envoy Gateway in real Envoys.

mod consul;
mod envoy_gateway;
mod support;
