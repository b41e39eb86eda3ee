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
mod interleaving;
mod listener;
mod model;
mod names;
mod order;
mod proxy;
mod read;
mod roles;
mod schema;
mod stage;
mod time;
mod timeline;
mod tls;

pub use at_once::{Act, AtOnce, Order};
pub use emulated::Emulated;
pub(crate) use engine::play;
pub use engine::{Failure, run};
pub use expectation::{Arrival, Expectation, Metric, Report};
pub use interleaving::Interleaving;
pub use listener::{Chain, ChainFilter, Policy, WasmFilter};
pub use model::{Connect, NodeSpec, Scenario, SidecarSpec, Step, Target, Update};
pub use names::{UnknownName, UnusedKey};
pub use read::ScenarioError;
pub use roles::{End, Side};
pub use stage::{Stage, StageError};
pub use timeline::{Action, Entry, Timeline};
pub use tls::{Mtls, Names};

pub use crate::bytes::Bytes;
