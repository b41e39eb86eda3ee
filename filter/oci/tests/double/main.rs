//! `cargo oci` with images of other tools, and with test doubles of registries that differ from
//! docker-registry.

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
