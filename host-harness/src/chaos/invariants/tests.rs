use super::*;

/// A run, by connection: the bytes of the client, and those that the server received.
fn run<const N: usize>(connections: [(&str, &str, &str); N]) -> Run {
    let mut run = Run::default();
    for (name, written, received) in connections {
        let mut record = ConnectionRecord::default();
        record.client.written = written.into();
        record.server.received = received.into();
        run.connections.insert(name.to_owned(), record);
    }
    run
}

fn holds(disturbed: &Run, undisturbed: &Run) -> bool {
    of_bytes(disturbed, undisturbed, true).is_empty()
}

/// The filter inserts a prefix on `a`, and the state of `a` makes it insert none on `b`.
fn shared_state() -> Run {
    run([("a", "one", "#one"), ("b", "two", "two")])
}

#[test]
fn written_bytes_arrive() {
    assert!(holds(&shared_state(), &shared_state()));
    let swapped = run([("a", "one", "#one"), ("b", "two", "owt")]);
    assert!(!holds(&swapped, &shared_state()));
    let doubled = run([("a", "one", "#one"), ("b", "two", "twotwo")]);
    assert!(!holds(&doubled, &shared_state()));
    let short = run([("a", "one", "#one"), ("b", "two", "tw")]);
    assert!(!holds(&short, &shared_state()));
}

#[test]
fn a_prefix_may_be_missing_or_other_bytes() {
    let missing = run([("a", "one", "one"), ("b", "two", "two")]);
    assert!(holds(&missing, &shared_state()));
    let other = run([("a", "one", "!one"), ("b", "two", "two")]);
    assert!(holds(&other, &shared_state()));
}

#[test]
fn a_prefix_is_one_of_another_connection() {
    let same = run([("a", "one", "#one"), ("b", "two", "#two")]);
    assert!(holds(&same, &shared_state()));
    let other = run([("a", "one", "!one"), ("b", "two", "!two")]);
    assert!(holds(&other, &shared_state()));
    let foreign = run([("a", "one", "#one"), ("b", "two", "?two")]);
    assert!(!holds(&foreign, &shared_state()));
    let never = run([("b", "two", "#two")]);
    assert!(!holds(&never, &run([("b", "two", "two")])));
}

#[test]
fn without_shared_state_a_prefix_is_missing_or_the_own_one() {
    let holds = |disturbed: &Run| of_bytes(disturbed, &shared_state(), false).is_empty();
    assert!(holds(&shared_state()));
    assert!(holds(&run([("a", "one", "one"), ("b", "two", "two")])));
    assert!(!holds(&run([("a", "one", "!one"), ("b", "two", "two")])));
    assert!(!holds(&run([("a", "one", "#one"), ("b", "two", "#two")])));
}
