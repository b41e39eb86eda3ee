//! Scenarios as data: what is set up, what happens, what is expected; one file for every host.
//!
//! A scenario is a YAML file. It describes one or two sidecars, then lists steps: applications
//! connect, write, end and reset; time passes; expectations look at what arrived, at metrics and
//! at logs. [`run`] plays it on a [`Stage`]: the emulator ([`Emulated`]) or anything else that can
//! do the same, like a real Envoy.
//!
//! ```
//! use host_harness::Module;
//! use host_harness::scenario::{Emulated, Scenario, run};
//!
//! let scenario = Scenario::parse("
//! name: bytes pass
//! inbound: {}
//! steps:
//!   - connect: {}
//!   - client: { write: hello }
//!   - expect: { server: { received: hello } }
//! ")?;
//! # let module = Module::from_bytes(br#"(module
//! #     (memory (export "memory") 1)
//! #     (func (export "malloc") (param i32) (result i32) i32.const 1024)
//! #     (func (export "proxy_abi_version_0_2_1")))"#)?;
//! run(&scenario, &mut Emulated::start(&scenario, &module)?)?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod bytes;
mod emulated;
mod engine;
mod expect;
mod model;
mod stage;

pub use bytes::Bytes;
pub(crate) use bytes::show;
pub use emulated::Emulated;
pub(crate) use engine::play;
pub use engine::{Failure, run};
pub use expect::{Arrival, Expectation, Metric, Report};
pub use model::{
    Act, Action, Connect, Mtls, NodeSpec, Scenario, ScenarioError, SidecarSpec, Step, Target,
};
pub use stage::{End, Side, Stage, StageError};
