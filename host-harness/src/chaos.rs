//! Chaos tests: scenarios with systematic fault injection.
//!
//! [`Chaos`] plays a scenario without a fault and counts the host calls, then again for each host
//! call and each status, with a fault in that call. For every filter the following invariants hold:
//!
//! * The filter does not trap, no callback hangs, and no call is unsupported.
//! * Each application receives the bytes that the other one wrote, or those that it receives
//!   without a fault; or it receives the start of these and the connection is closed early. This
//!   does not apply to faults that return false data, or that deny the existence of a property.
//! * No stream context remains after all connections are closed.
//!
//! ```
//! use host_harness::Module;
//! use host_harness::chaos::Chaos;
//! use host_harness::scenario::Scenario;
//!
//! // A filter that reads a property when a connection opens, and accepts any status.
//! let module = Module::from_bytes(br#"(module
//!     (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 64) "source")
//!     (func (export "malloc") (param i32) (result i32) i32.const 1024)
//!     (func (export "proxy_abi_version_0_2_1"))
//!     (func (export "proxy_on_new_connection") (param i32) (result i32)
//!         (drop (call $get (i32.const 64) (i32.const 6) (i32.const 32) (i32.const 36)))
//!         i32.const 0))"#)?;
//! let scenario = Scenario::parse("
//! name: bytes pass
//! inbound: {}
//! steps: [{ connect: {} }, { client: { write: hello } }]
//! ")?;
//! let chaos = Chaos::new(&scenario, &module)?;
//! for case in chaos.cases() {
//!     assert_eq!(chaos.play(&case)?.violations, []);
//! }
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod case;
mod error;
mod invariants;
mod options;
mod run;

pub use case::Case;
pub use error::ChaosError;
pub use invariants::Violation;
pub use options::Options;

use crate::fault::Answer;
use crate::module::Module;
use crate::scenario::{Emulated, Scenario, Side};
use crate::trace::HostcallCounts;
use run::{Ended, Run};

/// A chaos test of one scenario.
#[derive(Debug)]
pub struct Chaos {
    scenario: Scenario,
    module: Module,
    options: Options,
    undisturbed: Run,
}

/// The result of a case.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The number of host calls with an injected fault.
    pub injected: u64,
    /// The filter rejected its configuration. Envoy would not have started, so there was no
    /// traffic.
    pub refused: bool,
    /// The invariants that do not hold.
    pub violations: Vec<Violation>,
}

impl Chaos {
    /// Plays the scenario without a fault and with the default options. Its expectations are not
    /// checked.
    ///
    /// # Errors
    /// The scenario cannot be played, or an invariant does not hold even without a fault.
    pub fn new(scenario: &Scenario, module: &Module) -> Result<Self, ChaosError> {
        Self::with_options(scenario, module, Options::default())
    }

    /// Plays the scenario without a fault. Its expectations are not checked.
    ///
    /// # Errors
    /// The scenario cannot be played, or an invariant does not hold even without a fault.
    pub fn with_options(
        scenario: &Scenario,
        module: &Module,
        options: Options,
    ) -> Result<Self, ChaosError> {
        let undisturbed = match Run::play(scenario, module, options.settle, &mut |_| ())? {
            Ended::Played(run) => run,
            Ended::NotStarted(error) => return Err(error.into()),
        };
        if let Some(violation) = invariants::of_run(&undisturbed).next() {
            return Err(ChaosError::Undisturbed(violation));
        }
        Ok(Self {
            scenario: scenario.clone(),
            module: module.clone(),
            options,
            undisturbed,
        })
    }

    /// Returns the host calls of a side's filter without a fault.
    pub fn calls(&self, side: Side) -> Option<&HostcallCounts> {
        self.undisturbed.calls.get(&side)
    }

    /// Returns every case: each call with every status and every false result, each call together
    /// with all later ones, and each function in all its calls.
    pub fn cases(&self) -> impl Iterator<Item = Case> + '_ {
        let sides = self.undisturbed.calls.iter();
        sides.flat_map(|(side, counts)| case::cases(*side, counts))
    }

    /// Plays a case.
    ///
    /// # Errors
    /// A step cannot be played.
    pub fn play(&self, case: &Case) -> Result<Outcome, ChaosError> {
        self.watch(case, |_| ())
    }

    /// Plays a case. Calls `observe` after each step and after the end, for invariants of a
    /// specific filter.
    ///
    /// # Errors
    /// A step cannot be played.
    pub fn watch(
        &self,
        case: &Case,
        mut observe: impl FnMut(&mut Emulated),
    ) -> Result<Outcome, ChaosError> {
        let Case { side, fault } = case;
        let scenario = self.scenario.with_fault(*side, fault.clone());
        let ended = Run::play(&scenario, &self.module, self.options.settle, &mut observe)?;
        let run = match ended {
            Ended::Played(run) => run,
            Ended::NotStarted(error) if error.is_of_filter() => {
                let failure = error.failure().cloned();
                return Ok(Outcome {
                    injected: 1,
                    refused: true,
                    violations: failure.map(Violation::Failed).into_iter().collect(),
                });
            }
            Ended::NotStarted(error) => return Err(error.into()),
        };
        let mut violations: Vec<_> = invariants::of_run(&run).collect();
        // A false answer of the host excuses any bytes.
        if !run.hid_property && matches!(fault.answer, Answer::Status(_)) {
            let shared_state = self.options.shared_state;
            violations.extend(invariants::of_bytes(&run, &self.undisturbed, shared_state));
        }
        Ok(Outcome {
            injected: run.injected,
            refused: false,
            violations,
        })
    }
}
