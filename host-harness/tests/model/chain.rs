//! Several filters in one chain, as measured with two of them in Envoy 1.40.

use super::{probe, probe_module};
use host_harness::{Sidecar, SidecarBuilder};

/// Two probes, A in front of B.
fn pair(a: &str, b: &str) -> SidecarBuilder {
    probe(a)
        .plugin("A", "", "")
        .filter(&probe_module())
        .plugin("B", "", "")
        .plugin_config(b)
}

/// The lines of both filters for the stream, each with the filter's name in front.
fn lines(sidecar: &Sidecar) -> Vec<String> {
    let stream = |line: host_harness::LogLine| {
        let message = line.message.strip_prefix("2 ")?.trim().to_owned();
        Some(format!("{} {message}", line.plugin))
    };
    sidecar.logs().into_iter().filter_map(stream).collect()
}

const OPENED: [&str; 4] = [
    "A context_create(1)",
    "A new_connection()",
    "B context_create(1)",
    "B new_connection()",
];

const CLOSED_BY_ENVOY: [&str; 8] = [
    "A downstream_close(1)",
    "A done()",
    "A log()",
    "A delete()",
    "B downstream_close(1)",
    "B done()",
    "B log()",
    "B delete()",
];

fn assert_lines(sidecar: &Sidecar, opened: &[&str], then: &[&str]) {
    assert_eq!(lines(sidecar), [opened, then].concat());
}

#[test]
fn they_read_in_order_and_write_in_reverse() {
    let sidecar = pair("", "").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("hello");
    connection.server.write("world");
    connection.client.end();
    connection.server.end();
    let data = [
        "A downstream_data(5, false)",
        "B downstream_data(5, false)",
        "B upstream_data(5, false)",
        "A upstream_data(5, false)",
        "A downstream_data(0, true)",
        "B downstream_data(0, true)",
        "B upstream_data(0, true)",
        "B upstream_close(0)",
        "A upstream_data(0, true)",
        "A upstream_close(0)",
    ];
    assert_lines(&sidecar, &OPENED, &[&data[..], &CLOSED_BY_ENVOY].concat());
    assert_eq!(connection.server.received(), b"hello");
    assert_eq!(connection.client.received(), b"world");
    assert_eq!(sidecar.context_count(), 2, "the roots alone are left");
}

#[test]
fn a_filter_behind_one_that_stops_is_not_there_yet() {
    let sidecar = pair("new_connection: pause", "").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    assert_lines(&sidecar, &OPENED[..2], &[]);
    assert_eq!(connection.server.received(), b"");
}

#[test]
fn what_a_later_one_holds_up_the_earlier_ones_see_again() {
    let sidecar = pair(
        "downstream_data: set downstream 0 1",
        "downstream_data#1: pause",
    );
    let sidecar = sidecar.start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    connection.client.write("def");
    let data = [
        "A downstream_data(3, false)",
        "A set downstream 0 1 = 0",
        "B downstream_data(2, false)",
        "A downstream_data(5, false)",
        "A set downstream 0 1 = 0",
        "B downstream_data(4, false)",
    ];
    assert_lines(&sidecar, &OPENED, &data);
    assert_eq!(connection.server.received(), b"cdef");
}

#[test]
fn an_emptied_buffer_ends_reading_but_not_writing() {
    let drain = "downstream_data#1: set downstream 0 99";
    let sidecar = pair(drain, "upstream_data: set upstream 0 99")
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    connection.server.write("def");
    let data = [
        "A downstream_data(3, false)",
        "A set downstream 0 99 = 0",
        "B upstream_data(3, false)",
        "B set upstream 0 99 = 0",
        "A upstream_data(0, false)",
    ];
    assert_lines(&sidecar, &OPENED, &data);
    assert_eq!(
        (connection.server.received(), connection.client.received()),
        (vec![], vec![])
    );
}

#[test]
fn a_paused_write_never_reaches_the_earlier_ones() {
    let sidecar = pair("", "upstream_data#1: pause").start().unwrap();
    let connection = sidecar.connect();
    connection.server.write("abc");
    connection.server.write("def");
    let data = [
        "B upstream_data(3, false)",
        "B upstream_data(6, false)",
        "A upstream_data(6, false)",
    ];
    assert_lines(&sidecar, &OPENED, &data);
    assert_eq!(connection.client.received(), b"abcdef");
}

#[test]
fn continuing_goes_on_behind_the_one_that_asked() {
    let a = "downstream_data#1: pause\nupstream_data: continue downstream";
    let sidecar = pair(a, "").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    connection.server.write("q");
    let data = [
        "A downstream_data(3, false)",
        "B upstream_data(1, false)",
        "A upstream_data(1, false)",
        "A continue downstream = 0",
        "B downstream_data(3, false)",
    ];
    assert_lines(&sidecar, &OPENED, &data);
    assert_eq!(connection.server.received(), b"abc");
}

#[test]
fn each_reaches_the_buffers_of_its_own_callbacks_only() {
    let b = "upstream_data: get downstream 0 9; set downstream 0 0 X";
    let sidecar = pair("downstream_data: pause", b).start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    connection.server.write("q");
    let data = [
        "A downstream_data(3, false)",
        "B upstream_data(1, false)",
        "B get downstream 0 9 = 0",
        "B set downstream 0 0 X = 2",
        "A upstream_data(1, false)",
    ];
    assert_lines(&sidecar, &OPENED, &data);
}

#[test]
fn they_share_filter_state() {
    let a = "new_connection: set_property foo bar\ndownstream_data: property foo";
    let b = "new_connection: property foo; set_property foo baz";
    let sidecar = pair(a, b).start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("x");
    let found: Vec<_> = lines(&sidecar);
    let found: Vec<_> = found
        .iter()
        .filter(|line| line.contains("property"))
        .collect();
    let expected = [
        "A set_property foo bar = 0",
        "B property foo = 0 bar",
        "B set_property foo baz = 0",
        "A property foo = 0 baz",
    ];
    assert_eq!(found, expected);
    assert_eq!(connection.filter_state("wasm.foo"), Some(b"baz".to_vec()));
}

#[test]
fn filter_state_of_an_earlier_filter_is_there_from_the_start() {
    let script = "new_connection: property upstream_peer; property filter_state/envoy.string";
    let sidecar = probe(script)
        .filter_state("wasm.upstream_peer", "peer")
        .filter_state("envoy.string", "text");
    let sidecar = sidecar.start().unwrap();
    sidecar.connect();
    let found = super::stream_lines(&sidecar);
    assert_eq!(
        found[2..],
        [
            "property upstream_peer = 0 peer",
            "property filter_state/envoy.string = 0 text"
        ]
    );
}

#[test]
fn one_that_traps_takes_the_connection_and_the_others_are_told() {
    let sidecar = pair("", "downstream_data: trap").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    let data = [
        "A downstream_data(3, false)",
        "B downstream_data(3, false)",
        "A downstream_close(1)",
        "A done()",
        "A log()",
        "A delete()",
    ];
    assert_lines(&sidecar, &OPENED, &data);
    assert!(connection.client.saw_close() && connection.server.saw_close());
    assert_eq!(connection.server.received(), b"");
    assert!(
        sidecar.connect().client.saw_close(),
        "FAIL_CLOSED, whichever filter it is"
    );
}
