//! Connections whose peers are outside of the harness.

use super::{probe, stream_lines};
use host_harness::{Cluster, Downstream, Relay, Sidecar, UpstreamHost};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

fn relay(sidecar: &Sidecar) -> Relay {
    let host = UpstreamHost::new("127.0.0.1:1");
    sidecar.relay(Downstream::default(), Cluster::new("c"), host)
}

#[test]
fn the_owner_connects_and_passes_on_what_comes_out() {
    let sidecar = probe("").start().unwrap();
    let relay = relay(&sidecar);
    assert!(relay.is_connecting());
    relay.upstream_connected(None);
    assert!(!relay.is_connecting());
    relay.client.write_and_end("hi");
    assert_eq!(relay.server.unread(), 2);
    assert_eq!(relay.server.take(), b"hi");
    assert_eq!(relay.server.unread(), 0);
    assert!(relay.server.saw_end() && relay.is_open());
    relay.server.write_and_end("ho");
    assert_eq!(relay.client.take(), b"ho");
    assert!(relay.client.saw_close() && !relay.is_open());
}

#[test]
fn a_failure_to_connect_closes_the_connection_without_a_data_callback() {
    let sidecar = probe("downstream_close: property response/flags")
        .start()
        .unwrap();
    let relay = relay(&sidecar);
    relay.upstream_failed();
    assert!(relay.client.saw_close() && !relay.is_open());
    let lines = stream_lines(&sidecar);
    assert!(
        lines
            .iter()
            .any(|line| line == r"property response/flags = 0  \x80\x00\x00\x00\x00\x00\x00"),
        "UF,URX is 0x8020, and 0x20 a space: {lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.contains("_data")),
        "{lines:?}"
    );
}

#[test]
fn bytes_that_a_paused_filter_holds_up_are_counted() {
    let sidecar = probe("downstream_data#1: pause").start().unwrap();
    let relay = relay(&sidecar);
    relay.upstream_connected(None);
    relay.client.write("abc");
    assert_eq!(relay.held_up(), (3, 0));
    relay.client.write("d");
    assert_eq!(relay.held_up(), (0, 0));
    assert_eq!(relay.server.take(), b"abcd");
}

#[test]
fn what_a_tick_does_to_a_connection_is_observed() {
    let sidecar = probe("configure: tick 1000\ntick: effective 2; close downstream")
        .start()
        .unwrap();
    let relay = relay(&sidecar);
    relay.upstream_connected(None);
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    relay.observe(move || count.set(count.get() + 1));
    sidecar.advance(Duration::from_millis(999));
    assert_eq!(seen.get(), 0);
    sidecar.advance(Duration::from_millis(1));
    assert!(seen.get() > 0 && !relay.is_open());
}

#[test]
fn a_failed_write_closes_the_connection() {
    let sidecar = probe("").start().unwrap();
    let relay = relay(&sidecar);
    relay.upstream_connected(None);
    assert!(relay.is_connected());
    relay.client.write_and_end("hi");
    relay.client_write_failed();
    assert!(!relay.is_open() && relay.server.saw_close());
    let lines = stream_lines(&sidecar);
    assert!(
        lines.contains(&"downstream_close(2)".to_owned()),
        "{lines:?}"
    );
}
