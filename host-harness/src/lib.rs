#![doc = include_str!("manual.md")]

// The public modules are at the top: they use all others.
pub mod artifact;
pub mod chaos;
pub mod native;
pub mod scenario;

// Plain types, without behaviour of Envoy.
mod abi;
mod bytes;
mod chain;
mod clock;
mod config;
mod failure;
mod fault;
mod log;
mod profile;
mod property;
mod tls;
mod trace;

// The host: state and host functions of a VM.
mod attributes;
mod host;
mod hostcalls;
mod stats;
mod stream_info;

// The filter: a module, its VMs, and the thread that calls them.
mod inspect;
mod module;
mod vm;
mod worker;

// The proxy: connections through the filter chain, and what a test starts.
mod l4;
mod rig;
mod sidecar;

pub use abi::{AbiVersion, LogLevel, MetricType, PeerType, Status};
pub use chain::{EnvoyFilter, Rbac, RbacAction, TransportProtocol};
pub use clock::Clock;
pub use config::{ConnectMode, Direction, FailurePolicy};
pub use failure::{FailureKind, FilterFailure};
pub use fault::{Answer, Calls, Fault};
pub use inspect::{Import, Inspection, Origin};
pub use l4::{App, Chance, Chances, Chunks, Connection, Relay};
pub use log::LogLine;
pub use module::{LoadError, Module};
pub use profile::{Profile, UnknownProfile};
pub use property::{Cluster, Node, UpstreamHost, Value};
pub use rig::{Rig, RigBuilder};
pub use sidecar::{Sidecar, SidecarBuilder, StartError};
pub use stats::{MetricError, MetricQuery, Series, StatsTag};
pub use stream_info::Downstream;
pub use tls::Tls;
pub use trace::{ContextCounts, Event, HostcallCounts, Moment};

/// The Rust code of the README is a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
