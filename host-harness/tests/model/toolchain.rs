//! Requirements of the toolchains of C++ and TinyGo: initialisation, environment, allocators.

use super::lines;
use host_harness::{LoadError, Module, Sidecar, SidecarBuilder, StartError};

/// A filter in text form, with the exports that every filter needs.
fn module(body: &str) -> Module {
    let text = format!(
        r#"(module
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 160) "initialized")
        (data (i32.const 176) "main")
        (data (i32.const 192) "started")
        {body})"#
    );
    Module::from_bytes(text.as_bytes()).unwrap()
}

const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1"))"#;

fn sidecar(body: &str) -> SidecarBuilder {
    Sidecar::inbound(&module(&format!("{MALLOC}{body}")))
}

fn started(body: &str) -> Sidecar {
    sidecar(body).start().unwrap()
}

#[test]
fn a_reactor_is_initialized_and_then_its_main_runs() {
    let body = r#"
        (func (export "_initialize") (drop (call $log (i32.const 2) (i32.const 160) (i32.const 11))))
        (func (export "main") (param i32 i32) (result i32)
            (call $log (i32.const 2) (i32.const 176) (i32.const 4)))
        (func (export "_start") (drop (call $log (i32.const 2) (i32.const 192) (i32.const 7))))"#;
    assert_eq!(lines(&started(body)), ["initialized", "main"]);
}

#[test]
fn a_command_is_started() {
    let body = r#"
        (func (export "_start") (drop (call $log (i32.const 2) (i32.const 192) (i32.const 7))))"#;
    assert_eq!(lines(&started(body)), ["started"]);
}

#[test]
fn the_environment_is_what_the_vm_was_given_and_there_are_no_arguments() {
    // Logs the variables as they are in memory, then their number and size, and the number of
    // arguments.
    let body = r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32)
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (drop (call $args (i32.const 8) (i32.const 12)))
        (drop (call $environ (i32.const 16) (i32.const 512)))
        (drop (call $log (i32.const 2) (i32.const 512) (i32.load (i32.const 4))))
        (drop (call $log (i32.const 2) (i32.load (i32.const 20)) (i32.const 1)))
        (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 8))))"#;
    let given = sidecar(body).environment("B", "two").environment("A", "1");
    let given = given.start().unwrap();
    assert_eq!(lines(&given), ["A=1\0B=two\0", "B"]);
    let none = sidecar(body).start();
    assert!(
        matches!(none, Err(StartError::Refused { .. })),
        "vm_start answers the count, 0"
    );
}

#[test]
fn either_allocator_will_do() {
    let own = r#"(func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_2_0"))"#;
    assert!(Sidecar::inbound(&module(own)).start().is_ok());
    let none = Sidecar::inbound(&module(r#"(func (export "proxy_abi_version_0_1_0"))"#)).start();
    assert!(matches!(
        none,
        Err(StartError::Load(LoadError::NoAllocator))
    ));
}
