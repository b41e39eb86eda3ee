//! `cargo oci` with images that others build, and with registries of kinds that docker-registry is
//! not: a double of each.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod arguments;
#[path = "../command/mod.rs"]
mod command;
mod content;
mod indexes;
mod layers;
mod layouts;
mod logins;
mod pushing;
mod registry;
mod server;
mod tokens;
