//! The rules and alerts that a user copies out of `envoy-config/`.

mod rules;

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
