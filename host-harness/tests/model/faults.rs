//! Fault injection.

use super::{probe, stream_lines};
use host_harness::{Answer, Calls, Fault};

/// The probe's lines with the server's bytes, and the number of affected calls.
fn seen(calls: Calls, answer: Answer) -> (Vec<String>, u64) {
    let script = "downstream_data: property source/address; property source/port; get downstream 0 9; set downstream 0 0 >";
    let sidecar = probe(script)
        .addresses("10.0.0.1:1", "10.0.0.2:2")
        .fault(Fault { calls, answer })
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection.client.write("hello");
    let received = String::from_utf8(connection.server.received()).unwrap();
    assert!(!sidecar.is_failed());
    let mut lines = stream_lines(&sidecar);
    lines.push(received);
    (lines, sidecar.injected_faults())
}

fn undisturbed() -> Vec<String> {
    seen(Calls::Nth(0), Answer::Status(1)).0
}

/// The lines that a fault changes.
fn changed(calls: Calls, answer: Answer) -> (Vec<String>, u64) {
    let (lines, disturbed) = seen(calls, answer);
    let before = undisturbed();
    let changed = lines.into_iter().filter(|line| !before.contains(line));
    (changed.collect(), disturbed)
}

#[test]
fn a_call_returns_any_status_and_has_no_effect() {
    for number in [1, 10, 12, 99] {
        let every = Calls::Every("proxy_set_buffer_bytes".into());
        let (lines, disturbed) = changed(every, Answer::Status(number));
        assert_eq!(
            lines,
            [
                format!("set downstream 0 0 > = {number}"),
                "hello".to_owned()
            ]
        );
        assert_eq!(disturbed, 1);
    }
}

#[test]
fn bytes_replace_the_result() {
    let every = || Calls::Every("proxy_get_property".into());
    let lie = host_harness::scenario::Bytes::Text("lie".into());
    let (lines, disturbed) = changed(every(), Answer::Bytes(lie));
    assert_eq!((lines.len(), disturbed), (2, 2), "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with("lie")), "{lines:?}");
    let (lines, _) = changed(every(), Answer::Untouched);
    assert!(lines.iter().all(|line| line.ends_with("= 0")), "{lines:?}");
}

#[test]
fn one_call_or_all_from_one_on_are_affected() {
    let (_, once) = seen(Calls::Nth(3), Answer::Status(10));
    assert_eq!(once, 1);
    let (_, from) = seen(Calls::From(1), Answer::Status(10));
    let (_, later) = seen(Calls::From(3), Answer::Status(10));
    assert_eq!(from, later + 2);
    assert!(later > 1);
}
