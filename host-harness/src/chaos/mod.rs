//! Scenarios in which host calls go wrong, systematically.
//!
//! [`Chaos`] plays a scenario undisturbed and counts the host calls, then again with one of them disturbed, call by call and
//! status by status. Whatever the filter is for, some things must hold:
//!
//! * It does not trap, and no callback hangs.
//! * Each application got what the other one wrote, or what it got undisturbed; or the start of that, and the connection was
//!   closed before its time. Not so when the host lied: of what it handed over, or that there is no such property.
//! * When everything is closed no stream context is left.
//!
//! ```
//! use host_harness::Module;
//! use host_harness::chaos::Chaos;
//! use host_harness::scenario::Scenario;
//!
//! // A filter that asks for a property when a connection opens, and takes any answer.
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

mod course;
mod law;

pub use law::Violation;

use crate::host::{Answer, Calls, Fault};
use crate::module::Module;
use crate::scenario::{Bytes, Emulated, Failure, Scenario, Side};
use crate::sidecar::StartError;
use crate::trace::HostcallCounts;
use course::{Course, Ended};
use std::fmt;

/// Every status with a name but Ok, and a number without one.
const STATUSES: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99];
/// What a host answers that is falling apart: `InternalFailure`.
const FAILING: u32 = 10;
/// Functions that hand over bytes which a filter acts on.
const HANDING: [&str; 3] = [
    "proxy_get_property",
    "proxy_get_buffer_bytes",
    "proxy_call_foreign_function",
];

/// A scenario, and how it goes undisturbed.
#[derive(Debug)]
pub struct Chaos {
    scenario: Scenario,
    module: Module,
    undisturbed: Course,
}

/// One disturbance of the scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Whose filter.
    pub side: Side,
    /// What goes wrong with its calls.
    pub fault: Fault,
}

/// What came of a case.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Host calls that went wrong.
    pub injected: u64,
    /// A filter refused its configuration, so Envoy would not have started and there was no traffic.
    pub refused: bool,
    /// Laws that do not hold.
    pub violations: Vec<Violation>,
}

/// Why there is no chaos.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// The filter does not start undisturbed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A step cannot be played.
    #[error(transparent)]
    Play(#[from] Failure),
    /// A law does not hold undisturbed.
    #[error("undisturbed: {0}")]
    Unlawful(Violation),
}

impl Chaos {
    /// Plays the scenario undisturbed. Its expectations are not looked at.
    ///
    /// # Errors
    /// The scenario cannot be played, or a law does not even hold undisturbed.
    pub fn new(scenario: &Scenario, module: &Module) -> Result<Self, ChaosError> {
        let undisturbed = match Course::play(scenario, module, &mut |_| ())? {
            Ended::Played(course) => course,
            Ended::NotStarted(error) => return Err(error.into()),
        };
        if let Some(violation) = law::of_every_course(&undisturbed).next() {
            return Err(ChaosError::Unlawful(violation));
        }
        Ok(Self {
            scenario: scenario.clone(),
            module: module.clone(),
            undisturbed,
        })
    }

    /// The host calls of a side's filter when nothing goes wrong.
    pub fn calls(&self, side: Side) -> Option<&HostcallCounts> {
        self.undisturbed.calls.get(&side)
    }

    /// Every case: each call by itself with every status and every lie, each call and all after it, each function in all its
    /// calls.
    pub fn cases(&self) -> impl Iterator<Item = Case> + '_ {
        self.undisturbed.calls.iter().flat_map(|(side, counts)| {
            let each = (1..=counts.total()).flat_map(|nth| {
                let alone = answers().map(move |answer| (Calls::Nth(nth), answer));
                alone.chain([(Calls::From(nth), Answer::Status(FAILING))])
            });
            let functions = counts.iter().flat_map(|(name, _)| {
                let every = move |answer| (Calls::Every(name.to_owned()), answer);
                statuses().map(every).chain(lies(name).map(every))
            });
            each.chain(functions).map(|(calls, answer)| Case {
                side: *side,
                fault: Fault { calls, answer },
            })
        })
    }

    /// Plays a case.
    ///
    /// # Errors
    /// A step cannot be played.
    pub fn play(&self, case: &Case) -> Result<Outcome, ChaosError> {
        self.watch(case, |_| ())
    }

    /// Plays a case, with a look at the sidecars after each step and after the end, for laws of one's own.
    ///
    /// # Errors
    /// A step cannot be played.
    pub fn watch(
        &self,
        case: &Case,
        mut look: impl FnMut(&mut Emulated),
    ) -> Result<Outcome, ChaosError> {
        let Case { side, fault } = case;
        let scenario = self.scenario.disturbed(*side, fault.clone());
        Ok(match Course::play(&scenario, &self.module, &mut look)? {
            Ended::Played(course) => Outcome {
                injected: course.injected,
                refused: false,
                violations: law::of_every_course(&course)
                    .chain(law::of_bytes(&course, &self.undisturbed, fault))
                    .collect(),
            },
            Ended::NotStarted(StartError::Refused { trap, .. }) => Outcome {
                injected: 1,
                refused: true,
                violations: trap.map(Violation::Trap).into_iter().collect(),
            },
            Ended::NotStarted(error) => return Err(error.into()),
        })
    }
}

fn statuses() -> impl Iterator<Item = Answer> {
    STATUSES.into_iter().map(Answer::Status)
}

fn lies(function: &str) -> impl Iterator<Item = Answer> + use<> {
    let garbage = Bytes::Text("\u{fffd}=#\u{4}g\0".repeat(3));
    let nothing = Bytes::Text(String::new());
    let lies = [
        Answer::Untouched,
        Answer::Bytes(nothing),
        Answer::Bytes(garbage),
    ];
    let lies = HANDING.contains(&function).then_some(lies);
    lies.into_iter().flatten()
}

fn answers() -> impl Iterator<Item = Answer> {
    statuses().chain(lies(HANDING.first().unwrap_or(&"")))
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.side, self.fault)
    }
}
