//! The contract of Istio's TCP metrics, tested in real Envoys.
//!
//! * [`labels`]: Istio's table of standard metrics. For every kind of connection all 23 labels with
//!   their exact values, on both reporters, in exactly one series a metric.
//! * [`response_flags`]: connections that fail are reported too, with Envoy's own flags.
//! * [`upstream`]: Istio's own test cases for its TCP metrics, with their numbers and labels.
//! * [`configuration`]: every field of Istio's configuration that concerns TCP.
//! * [`user_reports`]: problems that users of Istio report, each as the property that prevents it.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod configuration;
mod labels;
mod pair;
mod response_flags;
mod table;
mod upstream;
mod user_reports;
