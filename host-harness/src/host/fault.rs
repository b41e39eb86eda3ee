//! Host calls that go wrong on purpose.

use crate::abi::Status;
use crate::hostcalls::Hostcall;
use crate::scenario::{Bytes, show};
use serde::Deserialize;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Disturbs host calls of a filter: see [`SidecarBuilder::fault`](crate::SidecarBuilder::fault).
///
/// In a scenario: `fault: { calls: { nth: 3 }, answer: { status: 10 } }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which calls.
    pub calls: Calls,
    /// What happens to them.
    pub answer: Answer,
}

/// Host calls of a filter, counted from 1 over all functions and all VMs of the filter, in the order they are made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// One.
    Nth(u64),
    /// This one and all that follow.
    From(u64),
    /// Every call of a function, by its import name.
    Every(String),
}

/// How a disturbed call is answered. None of these ends the VM.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Refused: this status, and nothing was done. Any number will do but 0, known to the ABI or not.
    Status(u32),
    /// Ok, but nothing was done and nothing written where results are expected.
    Untouched,
    /// Ok, but these bytes are handed over in the place of the true ones. A call that hands nothing over is as ever.
    Bytes(Bytes),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.calls {
            Calls::Nth(nth) => write!(f, "call {nth}"),
            Calls::From(first) => write!(f, "call {first} and all after it"),
            Calls::Every(name) => write!(f, "every {name}"),
        }?;
        match &self.answer {
            Answer::Status(number) => write!(f, " answered with {:?}", Status::from(*number)),
            Answer::Untouched => write!(f, " left undone"),
            Answer::Bytes(bytes) => write!(f, " handing over {}", show(&bytes.to_vec())),
        }
    }
}

/// Counts a filter's host calls and disturbs those that it is told to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    fault: Option<Fault>,
    made: Rc<Cell<u64>>,
    disturbed: Rc<Cell<u64>>,
    denied: Rc<Cell<bool>>,
}

impl Faults {
    /// Counts from 0, for all VMs that get a clone.
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// A call is made: what is to go wrong with it.
    pub(crate) fn next(&self, call: Hostcall) -> Option<Answer> {
        let number = self.made.get() + 1;
        self.made.set(number);
        let fault = self.fault.as_ref()?;
        let hit = match &fault.calls {
            Calls::Nth(nth) => number == *nth,
            Calls::From(first) => number >= *first,
            Calls::Every(name) => call.name() == name,
        };
        hit.then(|| {
            let not_found = fault.answer == Answer::Status(Status::NotFound.number());
            if not_found && call == Hostcall::proxy_get_property {
                self.denied.set(true);
            }
            self.disturbed.set(self.disturbed.get() + 1);
            fault.answer.clone()
        })
    }

    /// The disturbance had nothing to disturb.
    pub(crate) fn spare(&self) {
        self.disturbed.set(self.disturbed.get() - 1);
    }

    /// A property was said not to exist: an answer like others, and a wrong one.
    pub(crate) fn denied(&self) -> bool {
        self.denied.get()
    }

    /// How many calls were disturbed.
    pub(crate) fn disturbed(&self) -> u64 {
        self.disturbed.get()
    }
}
