//! Contexts, and the order of the callbacks that end a connection.

use super::{lines, probe, stream_lines};
use std::time::Duration;

#[test]
fn roots_and_streams_are_created_in_order() {
    let sidecar = probe("").start().unwrap();
    sidecar.connect();
    assert_eq!(
        lines(&sidecar),
        [
            "1 context_create(0)",
            "1 vm_start(0)",
            "1 configure(0)",
            "2 context_create(1)",
            "2 new_connection()"
        ]
    );
}

#[test]
fn the_server_ends_after_the_client() {
    let sidecar = probe("").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write_and_end("hi");
    connection.server.write_and_end("ho");
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "downstream_data(2, true)",
            "upstream_data(2, true)",
            "upstream_close(0)",
            "downstream_close(1)",
            "done()",
            "log()",
            "delete()"
        ]
    );
    assert_eq!(connection.server.received(), b"hi");
    assert_eq!(connection.client.received(), b"ho");
    assert!(connection.client.saw_close() && connection.server.saw_close());
    assert_eq!(sidecar.context_count(), 1, "the root alone is left");
}

#[test]
fn the_client_ends_after_the_server() {
    let sidecar = probe("").start().unwrap();
    let connection = sidecar.connect();
    connection.server.end();
    connection.client.end();
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "upstream_data(0, true)",
            "upstream_close(0)",
            "downstream_data(0, true)",
            "downstream_close(2)",
            "done()",
            "log()",
            "delete()"
        ]
    );
}

#[test]
fn after_a_half_close_responses_still_flow() {
    let sidecar = probe("").start().unwrap();
    let connection = sidecar.connect();
    connection.client.end();
    connection.server.write("late");
    assert!(connection.server.saw_end() && connection.is_open());
    assert_eq!(connection.client.read(), b"late");
}

#[test]
fn a_reset_ends_without_end_of_stream() {
    let sidecar = probe("").start().unwrap();
    sidecar.connect().client.reset();
    let end = ["downstream_close(2)", "done()", "log()", "delete()"];
    assert_eq!(stream_lines(&sidecar)[2..], end);
}

#[test]
fn ticks_follow_the_virtual_clock() {
    let sidecar = probe("configure: tick 1000\ntick#2: tick 0")
        .start()
        .unwrap();
    sidecar.advance(Duration::from_millis(999));
    assert_eq!(
        lines(&sidecar)
            .iter()
            .filter(|line| line.contains("tick()"))
            .count(),
        0
    );
    sidecar.advance(Duration::from_secs(60));
    assert_eq!(
        lines(&sidecar)
            .iter()
            .filter(|line| line.contains("tick()"))
            .count(),
        2
    );
}

#[test]
fn a_trap_kills_the_vm_and_closes_its_connections() {
    let sidecar = probe("downstream_data: trap").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("x");
    assert!(sidecar.is_failed());
    assert!(connection.client.saw_close() && connection.server.saw_close());
    assert!(
        sidecar.connect().client.saw_close(),
        "new connections are refused"
    );
}

#[test]
fn a_refused_configuration_says_what_was_logged() {
    let Err(error) = probe("configure: refuse").start() else {
        panic!("started")
    };
    assert!(error.to_string().contains("configure(17)"), "{error}");
}
