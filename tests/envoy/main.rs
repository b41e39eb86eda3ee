//! The filter in real Envoys, in front of real applications and databases.
//!
//! Every test compares three things on both reporters: the bytes that arrived, the four counts,
//! and the whole label sets. One binary, so that the linker and the Envoys are paid for once.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod artifact;
mod bootstrap;
mod bootstraps;
mod both_at_once;
mod capabilities;
mod certificates;
mod configuration;
mod databases;
mod exchange;
mod failure;
mod fixture;
mod handshake;
mod hot_restart;
mod lazy;
mod native_peer;
mod offered;
mod one_address;
mod outside_tls;
mod peer_for_others;
mod peers;
mod proofs;
mod reload;
mod remote_code;
mod reporting;
mod statsd;
mod traffic;
mod updates;
mod worker_without_vm;
