//! A small TCP proxy on real sockets: it reads the bootstrap that one gives Envoy and runs the wasm network filters of its
//! listeners in the host harness. The way to try a filter with no Envoy at all.
//!
//! ```no_run
//! use harness_serve::{Bootstrap, Server};
//!
//! let bootstrap = Bootstrap::from_file("envoy-config/client-sidecar.yaml")?;
//! let server = Server::start(bootstrap, 1, |line| eprintln!("{line}"))?;
//! println!("{:?}", server.listener("mongodb"));
//! server.wait();
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is served
//! Of the bootstrap: `node`, `admin`, `stats_config.stats_tags`, static listeners with `tls_inspector` and filter chains
//! chosen by transport protocol and ALPN, TLS with the peer's certificate verified by CA and name, wasm filters in front
//! of `tcp_proxy`, static clusters with TLS. What has no effect is named in a warning; what cannot be left out, such
//! as an unknown filter or anything unknown in a TLS context, is an error. Both name the field's path.
//!
//! On the wire the harness' own model decides what goes where and when; this crate moves the bytes, does TLS with rustls
//! and tells the model the time. A connection reads no further while what it read waits for the other side, up to
//! `per_connection_buffer_limit_bytes`.
//!
//! # What differs from Envoy
//! * One thread serves everything; `concurrency` is the number of VMs that take turns.
//! * Every plugin has a VM of its own, whatever its `vm_id`.
//! * `/stats` shows the filters' metrics alone, and histograms only in the Prometheus format.
//! * No idle timeouts, no SNI match, no dynamic configuration, no hot restart, no drain.

mod accept;
mod admin;
mod config;
mod inspect;
mod pipe;
mod plugins;
mod server;
mod session;
mod stream;
mod tls;

pub use config::{Bootstrap, ConfigError};
pub use plugins::PluginError;
pub use server::{ServeError, Server};
