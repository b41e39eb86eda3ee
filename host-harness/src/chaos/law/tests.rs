use super::*;
use crate::host::Calls;

/// Connections by what their server was to get and got.
fn course<const N: usize>(connections: [(&str, &str, &str); N]) -> Course {
    let ends = |written: &str, received: &str| {
        let mut ends = Ends::default();
        ends.client.written = written.into();
        ends.server.received = received.into();
        ends
    };
    let connections = connections
        .into_iter()
        .map(|(name, written, received)| (name.to_owned(), ends(written, received)));
    Course {
        connections: connections.collect(),
        ..Course::default()
    }
}

fn hold(disturbed: &Course, undisturbed: &Course) -> bool {
    let fault = Fault {
        calls: Calls::Nth(1),
        answer: Answer::Status(10),
    };
    of_bytes(disturbed, undisturbed, &fault).is_empty()
}

/// The filter learns from `a` not to put its bytes in front of what `b` writes.
fn learning() -> Course {
    course([("a", "one", "#one"), ("b", "two", "two")])
}

#[test]
fn what_was_written_arrives() {
    assert!(hold(&learning(), &learning()));
    let swapped = course([("a", "one", "#one"), ("b", "two", "owt")]);
    assert!(!hold(&swapped, &learning()));
    let doubled = course([("a", "one", "#one"), ("b", "two", "twotwo")]);
    assert!(!hold(&doubled, &learning()));
    let short = course([("a", "one", "#one"), ("b", "two", "tw")]);
    assert!(!hold(&short, &learning()));
}

#[test]
fn what_is_put_in_front_may_be_missing_or_other_bytes() {
    let missing = course([("a", "one", "one"), ("b", "two", "two")]);
    assert!(hold(&missing, &learning()));
    let other = course([("a", "one", "!one"), ("b", "two", "two")]);
    assert!(hold(&other, &learning()));
}

#[test]
fn what_was_not_learned_stands_in_front_as_elsewhere() {
    let same = course([("a", "one", "#one"), ("b", "two", "#two")]);
    assert!(hold(&same, &learning()));
    let other = course([("a", "one", "!one"), ("b", "two", "!two")]);
    assert!(hold(&other, &learning()));
    let foreign = course([("a", "one", "#one"), ("b", "two", "?two")]);
    assert!(!hold(&foreign, &learning()));
    let never = course([("b", "two", "#two")]);
    assert!(!hold(&never, &course([("b", "two", "two")])));
}
