//! Buffers: cumulative sizes, ranges, and accessibility.

use super::{probe, stream_lines};

#[test]
fn sizes_are_cumulative_while_paused() {
    let sidecar = probe("downstream_data#1: pause").start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    assert_eq!(connection.server.received(), b"");
    connection.client.write("defghijklmnop");
    assert_eq!(
        stream_lines(&sidecar)[2..],
        ["downstream_data(3, false)", "downstream_data(16, false)"]
    );
    assert_eq!(connection.server.received(), b"abcdefghijklmnop");
}

#[test]
fn a_paused_buffer_is_prepended_to_and_replaced() {
    let sidecar = probe("downstream_data: set downstream 0 0 >; set downstream 0 2 <<")
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection.client.write("abc");
    assert_eq!(connection.server.received(), b"<<bc");
}

#[test]
fn bytes_can_ride_on_an_empty_end_of_stream() {
    let sidecar = probe("downstream_data: set downstream 0 0 frame")
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection.client.end();
    assert_eq!(connection.server.received(), b"frame");
    assert!(connection.server.saw_end());
}

#[test]
fn the_other_direction_is_out_of_reach() {
    let script = "upstream_data: set downstream 0 0 x; get downstream 0 9\n\
                  downstream_data: set upstream 0 0 x";
    let sidecar = probe(script).start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("a");
    connection.server.write("b");
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "downstream_data(1, false)",
            "set upstream 0 0 x = 2",
            "upstream_data(1, false)",
            "set downstream 0 0 x = 2",
            "get downstream 0 9 = 0",
        ]
    );
}

#[test]
fn a_continue_is_done_after_the_callback() {
    let script = "downstream_data: continue downstream; get downstream 0 9; pause\n\
                  upstream_data: continue upstream";
    let sidecar = probe(script).start().unwrap();
    let connection = sidecar.connect();
    connection.client.write("ab");
    connection.client.write("c");
    connection.server.write("x");
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "downstream_data(2, false)",
            "continue downstream = 0",
            "get downstream 0 9 = 0 ab",
            "downstream_data(1, false)",
            "continue downstream = 0",
            "get downstream 0 9 = 0 c",
            "upstream_data(1, false)",
            "continue upstream = 12"
        ]
    );
    assert_eq!(connection.server.received(), b"abc");
}

#[test]
fn closing_is_done_after_the_callback() {
    let sidecar = probe("downstream_data: close downstream; property connection_id")
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection.client.write("ab");
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "downstream_data(2, false)",
            "close downstream = 0",
            "property connection_id = 0 \\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
            "downstream_close(1)",
            "done()",
            "log()",
            "delete()"
        ]
    );
    assert_eq!(connection.server.received(), b"");
    assert!(connection.client.saw_close());
}
