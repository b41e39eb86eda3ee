//! The WASI functions that C++, Rust and TinyGo filters import.

use host_harness::{LogLevel, Module, Sidecar};

/// Writes 7 bytes at 256, through two vectors, to a file. The result of the configuration depends
/// on the results for time, random bytes, arguments and files.
fn module(body: &str) -> Module {
    let wat = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
        (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 256) "std out\n")
        (data (i32.const 64) "\00\01\00\00\03\00\00\00\03\01\00\00\05\00\00\00")
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_1_0"))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) {body}))"#
    );
    Module::from_bytes(wat.as_bytes()).unwrap()
}

fn agrees(body: &str) -> bool {
    Sidecar::inbound(&module(body)).start().is_ok()
}

#[test]
fn standard_output_and_error_are_logged_without_their_newline() {
    let write = |file: u32| {
        format!(
            "(call $write (i32.const {file}) (i32.const 64) (i32.const 2) (i32.const 32)) i32.eqz"
        )
    };
    for (file, level) in [(1, LogLevel::Info), (2, LogLevel::Error)] {
        let sidecar = Sidecar::inbound(&module(&write(file))).start().unwrap();
        let line = sidecar.logs().pop().unwrap();
        assert_eq!((line.level, line.message.as_str()), (level, "std out"));
    }
    assert!(!agrees(&write(3)), "no other file is open");
}

#[test]
fn the_clock_is_the_virtual_one() {
    let now = "(drop (call $clock (i32.const 0) (i64.const 0) (i32.const 32)))
               (i64.eq (i64.load (i32.const 32)) (i64.const 1704067200000000000))";
    assert!(agrees(now));
    assert!(!agrees(
        "(call $clock (i32.const 2) (i64.const 0) (i32.const 32)) i32.eqz"
    ));
}

#[test]
fn there_are_no_arguments_no_environment_and_no_files() {
    for function in ["args", "environ"] {
        let none = format!(
            "(drop (call ${function} (i32.const 32) (i32.const 36))) (i64.eqz (i64.load (i32.const 32)))"
        );
        assert!(agrees(&none), "{function}");
    }
    assert!(agrees(
        "(i32.eq (call $prestat (i32.const 3) (i32.const 32)) (i32.const 8))"
    ));
    assert!(agrees(
        "(call $random (i32.const 32) (i32.const 8)) i32.eqz"
    ));
}

#[test]
fn an_exit_is_a_failure_that_names_its_code() {
    let Err(error) = Sidecar::inbound(&module("(call $exit (i32.const 7)) i32.const 1")).start()
    else {
        panic!("started")
    };
    assert!(error.to_string().contains("proc_exit(7)"), "{error}");
}
