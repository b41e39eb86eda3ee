//! Scenarios as data: configuration, steps and expectations in one file for every host.
//!
//! A scenario is a YAML file. It describes one or two sidecars, then lists steps: applications
//! connect, write, end and reset; time passes; expectations check received bytes, metrics and logs.
//! [`run`] plays it on a [`Stage`]: the emulator ([`Emulated`]), or another implementation such as
//! a real Envoy.
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

mod at_once;
mod check;
mod emulated;
mod engine;
mod expectation;
mod model;
mod order;
mod read;
mod roles;
mod schema;
mod stage;
mod timeline;

pub use at_once::{Act, AtOnce, Order};
pub use emulated::Emulated;
pub(crate) use engine::play;
pub use engine::{Failure, run};
pub use expectation::{Arrival, Expectation, Metric, Report};
pub use model::{Connect, Mtls, NodeSpec, Scenario, SidecarSpec, Step, Target};
pub use read::ScenarioError;
pub use roles::{End, Side};
pub use stage::{Stage, StageError};
pub use timeline::{Action, Entry, Timeline};

pub use crate::bytes::Bytes;
