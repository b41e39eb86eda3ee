//! The messages of `peer_exchange.proto` in Rust. `cargo run -p peer-exchange --example regenerate`
//! generates `peer_exchange.rs`.
#![allow(clippy::all, unreachable_pub, unused_qualifications)]

include!("peer_exchange.rs");
