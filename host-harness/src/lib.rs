#![doc = include_str!("manual.md")]

pub mod artifact;
pub mod chaos;
pub mod native;
pub mod scenario;

mod abi;
mod clock;
mod host;
mod hostcalls;
mod inspect;
mod l4;
mod module;
mod property;
mod rig;
mod sidecar;
mod stats;
mod trace;
mod vm;
mod worker;

pub use abi::{AbiVersion, LogLevel, MetricType, PeerType, Status};
pub use clock::Clock;
pub use host::{Answer, Calls, Fault, LogLine, Tls};
pub use inspect::{Import, Inspection, Origin};
pub use l4::{App, Chunks, Connection, Relay};
pub use module::{LoadError, Module};
pub use property::{Cluster, Node, UpstreamHost, Value};
pub use rig::{Rig, RigBuilder};
pub use sidecar::{
    Direction, Downstream, FailurePolicy, Profile, Sidecar, SidecarBuilder, StartError,
};
pub use stats::{MetricError, MetricQuery, Series, StatsTag};
pub use trace::{ContextCounts, Event, HostcallCounts};
