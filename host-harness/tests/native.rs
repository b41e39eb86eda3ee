//! The same filter, linked and as .wasm, with the same trace.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::{Event, Module, Sidecar, artifact, native, native_filter};
use sdk_filter as _;
use std::time::Duration;

/// The trace of the filter and the received bytes. Context ids are the same, as each run has a VM
/// of its own.
fn story(module: &Module) -> (Vec<Event>, Vec<String>, Vec<u8>, Vec<u8>, u64) {
    let sidecar = Sidecar::inbound(module)
        .plugin_config("pre:")
        .start()
        .unwrap();
    sidecar.record_trace();
    let connection = sidecar.connect();
    connection.client.write("pr");
    connection.client.write("e:hello");
    sidecar.advance(Duration::from_secs(2));
    connection.server.write_and_end("world");
    connection.client.end();
    let events = sidecar.take_trace().into_iter().map(without_fuel).collect();
    let logs = sidecar
        .logs()
        .into_iter()
        .map(|line| line.message)
        .collect();
    let answered = sidecar.metric("answered").value();
    (
        events,
        logs,
        connection.server.received(),
        connection.client.received(),
        answered,
    )
}

fn without_fuel(event: Event) -> Event {
    match event {
        Event::Callback {
            name,
            arguments,
            result,
            trap,
            ..
        } => Event::Callback {
            name,
            arguments,
            result,
            trap,
            fuel: 0,
            allocations: 0,
        },
        other => other,
    }
}

#[test]
fn native_and_wasm_have_the_same_trace() {
    let path = artifact::build("sdk-filter", "wasm").unwrap();
    let wasm = story(&Module::from_file(path).unwrap());
    let native = native::run(|| story(&native_filter!())).unwrap();
    assert_eq!(wasm.2, b"hello");
    assert_eq!(wasm.3, b"pre:world");
    assert_eq!(wasm.4, 5);
    assert_eq!(wasm, native);
}

#[test]
fn a_status_without_a_name_is_an_error() {
    let failure = native::run(|| {
        let sidecar = Sidecar::inbound(&native_filter!()).start().unwrap();
        sidecar.connect().client.write("resume");
    });
    let message = failure.unwrap_err().to_string();
    assert!(
        message.contains("proxy_continue_stream answers Unimplemented"),
        "{message}"
    );
}

#[test]
fn sidecars_of_one_thread_share_the_vm_and_keep_apart() {
    native::run(|| {
        let module = native_filter!();
        let first = Sidecar::inbound(&module)
            .plugin_config("1")
            .start()
            .unwrap();
        let second = Sidecar::inbound(&module)
            .plugin_config("2")
            .start()
            .unwrap();
        let (one, two) = (first.connect(), second.connect());
        one.client.write("12");
        two.client.write("21");
        assert_eq!(
            (one.server.read(), two.server.read()),
            (b"2".to_vec(), b"1".to_vec())
        );
    })
    .unwrap();
}

#[test]
fn a_panic_of_the_test_is_not_the_filters() {
    let failure = native::run(|| assert!(std::hint::black_box(false))).unwrap_err();
    assert_eq!(failure, native::NativeFailure::Test);
}
