//! The cases of a chaos test: one fault each.

use std::fmt;

use crate::bytes::Bytes;
use crate::fault::{Answer, Calls, Fault};
use crate::scenario::Side;
use crate::trace::HostcallCounts;

/// Every named status but Ok, and a number without a name.
const STATUSES: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99];
/// `InternalFailure`, for a host all of whose functions fail.
const INTERNAL_FAILURE: u32 = 10;
/// Host functions whose result bytes a filter interprets.
const WITH_RESULT: [&str; 3] = [
    "proxy_get_property",
    "proxy_get_buffer_bytes",
    "proxy_call_foreign_function",
];

/// One case of a chaos test.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The sidecar whose filter has the fault.
    pub side: Side,
    /// The fault.
    pub fault: Fault,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.side, self.fault)
    }
}

/// All cases for one sidecar: each call with every status and every false result, each call
/// together with all later ones, and each function in all its calls.
pub(super) fn cases(side: Side, counts: &HostcallCounts) -> impl Iterator<Item = Case> + '_ {
    let each = (1..=counts.total()).flat_map(|nth| {
        let alone = answers().map(move |answer| (Calls::Nth(nth), answer));
        alone.chain([(Calls::From(nth), Answer::Status(INTERNAL_FAILURE))])
    });
    let functions = counts.iter().flat_map(|(name, _)| {
        let answers = statuses().chain(false_results(name));
        answers.map(move |answer| (Calls::Every(name.to_owned()), answer))
    });
    each.chain(functions).map(move |(calls, answer)| Case {
        side,
        fault: Fault { calls, answer },
    })
}

fn answers() -> impl Iterator<Item = Answer> {
    let [any, ..] = WITH_RESULT;
    statuses().chain(false_results(any))
}

fn statuses() -> impl Iterator<Item = Answer> {
    STATUSES.into_iter().map(Answer::Status)
}

/// Ok without a result, with an empty and with a wrong one.
fn false_results(function: &str) -> impl Iterator<Item = Answer> + use<> {
    let wrong = Bytes::Text("\u{fffd}=#\u{4}g\0".repeat(3));
    let empty = Bytes::Text(String::new());
    let answers = [
        Answer::Untouched,
        Answer::Bytes(empty),
        Answer::Bytes(wrong),
    ];
    let answers = WITH_RESULT.contains(&function).then_some(answers);
    answers.into_iter().flatten()
}
