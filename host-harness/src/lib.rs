//! An emulator of what Envoy shows a proxy-wasm **network filter**: test, trace and benchmark without Envoy.
//!
//! * A [`Module`] is a compiled filter; any `.wasm` that runs in Envoy will do.
//! * A [`Sidecar`] is one emulated Envoy with the filter in its listener.
//! * A [`Connection`] has an application at each end; what they write goes through the filter.
//! * A [`Rig`] puts two sidecars in a row.
//! * Time is virtual: [`Sidecar::advance`] moves it and delivers ticks.
//!
//! ```
//! use host_harness::{Module, Sidecar};
//!
//! // A filter that does nothing, in text form; usually Module::from_file("filter.wasm").
//! let module = Module::from_bytes(br#"(module
//!     (memory (export "memory") 1)
//!     (func (export "malloc") (param i32) (result i32) i32.const 1024)
//!     (func (export "proxy_abi_version_0_2_1")))"#)?;
//! let sidecar = Sidecar::inbound(&module).start()?;
//! let connection = sidecar.connect();
//! connection.client.write("hello");
//! assert_eq!(connection.server.read(), b"hello");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

pub mod artifact;
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
pub use host::{LogLine, Tls};
pub use inspect::{Import, Inspection, Origin};
pub use l4::{App, Chunks, Connection, Relay};
pub use module::{LoadError, Module};
pub use property::{Cluster, Node, UpstreamHost, Value};
pub use rig::{Rig, RigBuilder};
pub use sidecar::{
    Direction, Downstream, FailurePolicy, Profile, Sidecar, SidecarBuilder, StartError,
};
pub use stats::{MetricError, MetricQuery, Series, StatsTag};
pub use trace::{Event, HostcallCounts};
