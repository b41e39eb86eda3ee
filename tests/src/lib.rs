//! Real Envoys, real databases and a mesh CA on loopback.
//!
//! A [`Mesh`] is one client sidecar and one sidecar per service, all of them stock Envoys started from the bootstraps in
//! `envoy-config/`, with a byte-counting [`Tap`] at the client application's end and at the server application's end of
//! every service. What the filter reports is compared with what the taps saw. The demo and the end-to-end tests are
//! built on it.
//!
//! Everything lives under `target/`, listens on 127.0.0.1 on ports the system picks, and ends with its owner: dropping
//! a part stops it, and a killed process takes its children with it (which is why this crate needs Linux).

mod acceptor;
pub mod apps;
mod available;
pub mod bench;
pub mod bootstrap;
mod cargo;
pub mod chromium;
pub mod databases;
pub mod demo;
pub mod envoy;
mod error;
pub mod evidence;
pub mod exposition;
pub mod labels;
pub mod matrix;
pub mod mesh;
pub mod mesh_ca;
pub mod native;
pub mod poll;
pub mod process;
pub mod prometheus;
pub mod registry;
pub mod situation;
pub mod soak;
pub mod tap;
pub mod tools;
pub mod topology;
pub mod wasm;
pub mod workload;
pub mod workspace;

pub use self::available::available;
pub use self::envoy::Envoy;
pub use self::error::{Error, Result};
pub use self::exposition::Exposition;
pub use self::mesh::Mesh;
pub use self::tap::Tap;
pub use self::workload::Workload;
pub use self::workspace::Scratch;
