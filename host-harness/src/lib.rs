#![doc = include_str!("manual.md")]

pub mod artifact;
pub mod chaos;
pub mod native;
pub mod scenario;

mod abi;
mod attributes;
mod bytes;
mod clock;
mod config;
mod fault;
mod host;
mod hostcalls;
mod inspect;
mod l4;
mod log;
mod module;
mod property;
mod rig;
mod sidecar;
mod stats;
mod stream_info;
mod tls;
mod trace;
mod vm;
mod worker;

pub use abi::{AbiVersion, LogLevel, MetricType, PeerType, Status};
pub use clock::Clock;
pub use config::{Direction, FailurePolicy, Profile};
pub use fault::{Answer, Calls, Fault};
pub use inspect::{Import, Inspection, Origin};
pub use l4::{App, Chunks, Connection, Relay};
pub use log::LogLine;
pub use module::{LoadError, Module};
pub use property::{Cluster, Node, UpstreamHost, Value};
pub use rig::{Rig, RigBuilder};
pub use sidecar::{Sidecar, SidecarBuilder, StartError};
pub use stats::{MetricError, MetricQuery, Series, StatsTag};
pub use stream_info::Downstream;
pub use tls::Tls;
pub use trace::{ContextCounts, Event, HostcallCounts};

/// The Rust code of the README is a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
