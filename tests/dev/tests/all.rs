//! The commands for developers, and the metrics of their meshes in the tools of their users.

mod bench_envoy;
#[path = "bookinfo/main.rs"]
mod bookinfo;
mod control_plane;
mod demo;
mod soak;
