//! Failed VMs, refused upstream connections, restricted capabilities, updated configurations.

use super::{lines, probe, stream_lines};
use host_harness::{Event, FailurePolicy};
use std::time::Duration;

const TRAP: &str = "downstream_data#1: trap";

#[test]
fn fail_closed_refuses_new_connections() {
    let sidecar = probe(TRAP).start().unwrap();
    let trapped = sidecar.connect();
    trapped.client.write("x");
    assert!(trapped.client.saw_close() && trapped.server.saw_close());
    assert_eq!(
        stream_lines(&sidecar).last().unwrap(),
        "downstream_data(1, false)"
    );
    let refused = sidecar.connect();
    assert!(refused.client.saw_close());
    assert!(!lines(&sidecar).iter().any(|line| line.starts_with("3 ")));
}

#[test]
fn fail_open_lets_new_connections_pass_without_the_filter() {
    let sidecar = probe(TRAP)
        .failure_policy(FailurePolicy::FailOpen)
        .start()
        .unwrap();
    let trapped = sidecar.connect();
    trapped.client.write("x");
    assert!(
        trapped.client.saw_close(),
        "the connection that trapped is closed all the same"
    );
    let passed = sidecar.connect();
    passed.client.write("y");
    assert_eq!(passed.server.received(), b"y");
}

#[test]
fn fail_reload_starts_a_new_vm_once_the_backoff_is_over() {
    let backoff = Duration::from_secs(1);
    let sidecar = probe(TRAP)
        .failure_policy(FailurePolicy::FailReload { backoff })
        .start()
        .unwrap();
    sidecar.record_trace();
    sidecar.connect().client.write("x");
    assert!(sidecar.connect().client.saw_close(), "too early");
    sidecar.advance(backoff);
    let again = sidecar.connect();
    assert!(again.is_open());
    assert_eq!(sidecar.failures().len(), 1, "of the VM that was replaced");
    let starts = lines(&sidecar)
        .iter()
        .filter(|line| line.contains("configure("))
        .count();
    assert_eq!(starts, 2);
    let trace = sidecar.take_trace();
    let index = |is: &dyn Fn(&Event) -> bool| trace.iter().position(is).unwrap();
    let trapped = index(&|event| matches!(event, Event::Callback { trap: Some(_), .. }));
    let configured = index(
        &|event| matches!(event, Event::Callback { name, .. } if *name == "proxy_on_configure"),
    );
    assert!(trapped < configured, "the trace has both VMs: {trace:?}");
}

#[test]
fn an_update_replaces_a_vm_that_has_failed() {
    let sidecar = probe(TRAP).start().unwrap();
    sidecar.connect().client.write("x");
    sidecar
        .update_config("downstream_data: set downstream 0 0 new:")
        .unwrap();
    let connection = sidecar.connect();
    connection.client.write("a");
    assert_eq!(connection.server.received(), b"new:a");
    assert_eq!(sidecar.failures().len(), 1, "of the VM that was replaced");
}

#[test]
fn an_upstream_that_refuses_ends_the_connection_without_data() {
    let script =
        "downstream_close: property response/flags; property upstream/transport_failure_reason";
    let sidecar = probe(script).refuse_upstream().start().unwrap();
    let connection = sidecar.connect();
    assert!(connection.client.saw_close());
    assert_eq!(
        stream_lines(&sidecar)[1..],
        [
            "new_connection()",
            "downstream_close(1)",
            // UF,URX: 0x8020.
            "property response/flags = 0  \\x80\\x00\\x00\\x00\\x00\\x00\\x00",
            "property upstream/transport_failure_reason = 0 delayed connect error: Connection refused",
            "done()",
            "log()",
            "delete()"
        ]
    );
}

#[test]
fn an_upstream_that_resets_is_flagged() {
    let sidecar = probe("downstream_close: property response/flags")
        .start()
        .unwrap();
    sidecar.connect().server.reset();
    let flags = r"property response/flags = 0 \x10\x00\x00\x00\x00\x00\x00\x00";
    assert_eq!(stream_lines(&sidecar)[2..4], ["downstream_close(1)", flags]);
}

#[test]
fn capabilities_that_are_not_allowed_are_not_there() {
    let allowed = [
        "proxy_log",
        "proxy_on_context_create",
        "proxy_on_configure",
        "proxy_get_buffer_bytes",
        "proxy_on_new_connection",
    ];
    let sidecar = probe("new_connection: define counter x")
        .allow_capabilities(allowed)
        .start()
        .unwrap();
    let connection = sidecar.connect();
    connection.client.write("x");
    assert_eq!(
        connection.server.received(),
        b"x",
        "a callback that is not allowed does not stop data"
    );
    assert_eq!(
        lines(&sidecar),
        [
            "1 context_create(0)",
            "1 configure(32)",
            "2 context_create(1)",
            "2 new_connection()",
            "Attempted call to restricted proxy-wasm capability: proxy_define_metric",
            "2   define counter x = 10 0"
        ]
    );
}

#[test]
fn a_listener_update_keeps_the_old_root_until_it_has_drained() {
    let sidecar = probe("configure: tick 1000\ndone: refuse\ntick#2: proxy_done")
        .start()
        .unwrap();
    let old = sidecar.connect();
    sidecar
        .update_config("downstream_data: set downstream 0 0 new:")
        .unwrap();
    let new = sidecar.connect();
    old.client.write("a");
    new.client.write("a");
    assert_eq!(
        (old.server.received(), new.server.received()),
        (b"a".to_vec(), b"new:a".to_vec())
    );

    sidecar.advance(Duration::from_secs(1));
    sidecar.finish_draining();
    assert!(old.client.saw_close() && !new.client.saw_close());
    assert_eq!(
        sidecar.context_count(),
        3,
        "old root waiting for proxy_done, new root, its stream"
    );
    sidecar.advance(Duration::from_secs(1));
    assert_eq!(sidecar.context_count(), 2);
    assert_eq!(lines(&sidecar).last().unwrap(), "1 delete()");
}

#[test]
fn an_update_that_the_filter_refuses_changes_nothing() {
    let sidecar = probe("downstream_data: set downstream 0 0 old:")
        .start()
        .unwrap();
    assert!(sidecar.update_config("configure: refuse").is_err());
    let connection = sidecar.connect();
    connection.client.write("a");
    assert_eq!(connection.server.received(), b"old:a");
}
