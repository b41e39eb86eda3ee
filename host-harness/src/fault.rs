//! Fault injection: host calls that fail on purpose.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::abi::{Hostcall, Status};
use crate::bytes::{Bytes, show};

/// A fault to inject into host calls of a filter: see
/// [`SidecarBuilder::fault`](crate::SidecarBuilder::fault).
///
/// In a scenario: `fault: { calls: { nth: 3 }, answer: { status: 10 } }`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The affected calls.
    pub calls: Calls,
    /// The answer to the affected calls.
    pub answer: Answer,
}

/// A selection of a filter's host calls. Calls are counted from 1 over all functions and all VMs of
/// the filter, in the order in which they are made.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Calls {
    /// One call.
    Nth(u64),
    /// This call and all later ones.
    From(u64),
    /// Every call of one function, by its import name.
    Every(String),
}

/// The answer to an affected call. None of these ends the VM.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// The call fails with this status and has no effect. Any number but 0 is allowed, also one
    /// that the ABI does not name.
    Status(u32),
    /// The call returns Ok, has no effect and writes no result.
    Untouched,
    /// The call returns Ok and these bytes instead of its result. A call without result bytes is
    /// not affected.
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

/// Counts a filter's host calls and selects those that the fault affects. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultInjection {
    fault: Option<Fault>,
    calls: Rc<Cell<u64>>,
    injected: Rc<Cell<u64>>,
    hid_property: Rc<Cell<bool>>,
}

impl FaultInjection {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// Counts a call. Returns the answer to inject, if the fault affects this call.
    pub(crate) fn next(&self, call: Hostcall) -> Option<Answer> {
        let number = self.calls.get() + 1;
        self.calls.set(number);
        let fault = self.fault.as_ref()?;
        let affected = match &fault.calls {
            Calls::Nth(nth) => number == *nth,
            Calls::From(first) => number >= *first,
            Calls::Every(name) => call.name() == name,
        };
        if !affected {
            return None;
        }
        let not_found = fault.answer == Answer::Status(Status::NotFound.number());
        if not_found && call == Hostcall::proxy_get_property {
            self.hid_property.set(true);
        }
        self.injected.set(self.injected.get() + 1);
        Some(fault.answer.clone())
    }

    /// Takes the last count back: the affected call had no result bytes to replace.
    pub(crate) fn not_injected(&self) {
        self.injected.set(self.injected.get() - 1);
    }

    /// A call of `proxy_get_property` was answered with `NotFound`. To the filter this is no error
    /// but a statement about the connection, and it may be false.
    pub(crate) fn hid_property(&self) -> bool {
        self.hid_property.get()
    }

    /// The number of affected calls.
    pub(crate) fn injected(&self) -> u64 {
        self.injected.get()
    }
}
