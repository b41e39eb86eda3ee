//! Meshes of stock Envoys, real databases and a certificate authority on loopback.
//!
//! A [`Mesh`] is one client sidecar and one sidecar per service, started from the bootstraps in
//! `envoy-config/`, with a byte-counting [`Tap`] at the client application's end and at the server
//! application's end of every service. Tests compare the filter's metrics with the taps' counts.
//!
//! All files are in `target/`. Every server listens on 127.0.0.1, on a port that the system picks.
//! Dropping a value stops its server; if this process dies, the kernel stops its children (Linux
//! only).

pub mod acceptor;
pub mod apps;
mod available;
pub mod bootstrap;
mod cargo;
pub mod chromium;
pub mod databases;
pub mod labels;
mod mesh;
pub mod native;
pub mod page;
pub mod program;
pub mod progress;
pub mod prometheus;
pub mod registry;
pub mod report;
mod sidecar;
pub mod situation;
pub mod tap;
pub mod testing;
pub mod tools;
pub mod topology;
pub mod variant;
pub mod wasm;
pub mod workload;
pub mod workspace;

pub use envoy_process::{
    Envoy, EnvoyBinary, Epoch, Error, Exposition, Result, Scratch, envoy, error, exposition,
    folder, mesh_ca, poll, process,
};

pub use self::available::available;
pub use self::bootstrap::Hop;
pub use self::cargo::command;
pub use self::mesh::{Builder, Counts, Filter, Mesh, Service};
pub use self::tap::Tap;
pub use self::workload::Workload;
