//! What Istio's users rely on, tested in real Envoys.
//!
//! * [`labels`]: Istio's table of standard metrics. For every situation that a connection can be in, all 23 labels with
//!   their exact values, on both reporters, in exactly one series a metric.
//! * [`response_flags`]: connections that fail are reported too, with Envoy's own flags.
//! * [`upstream`]: the test cases that Istio itself has for its TCP metrics, with their numbers and labels.
//! * [`configuration`]: every field of Istio's configuration that concerns TCP.
//! * [`pains`]: what users complain about, each as the property whose absence hurts them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod configuration;
mod labels;
mod pains;
mod pair;
mod response_flags;
mod table;
mod upstream;
