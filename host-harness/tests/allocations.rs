//! Allocation counts of a filter that counts its allocations.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::{Event, Module, Sidecar};

/// A filter that counts each downstream byte as an allocation.
const WAT: &[u8] = br#"(module
    (memory (export "memory") 1)
    (global $count (mut i64) (i64.const 0))
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "harness_allocations") (result i64) global.get $count)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
        (global.set $count (i64.add (global.get $count) (i64.extend_i32_u (local.get 1))))
        i32.const 0))"#;

#[test]
fn allocations_are_reported_by_callback_and_in_total() {
    let sidecar = Sidecar::inbound(&Module::from_bytes(WAT).unwrap())
        .start()
        .unwrap();
    sidecar.record_trace();
    let connection = sidecar.connect();
    connection.client.write("abc");
    connection.client.write("de");
    let counts = sidecar.take_trace().into_iter().map(|event| match event {
        Event::Callback { allocations, .. } => allocations,
        Event::Hostcall { .. } => 0,
    });
    assert_eq!(counts.collect::<Vec<_>>(), [3, 2]);
    assert_eq!(sidecar.allocations(), 5);
}
