//! The option `--envoy-version` in the emulator, and the key `profile` of a scenario.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Output};

/// A filter that closes connections in which `request.headers_bytes` does not exist: Envoy has it
/// since 1.37.
const FILTER: &str = r#"(module
    (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "request\00headers_bytes")
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_new_connection") (param i32) (result i32)
        (if (call $get (i32.const 64) (i32.const 21) (i32.const 32) (i32.const 36))
            (then (drop (call $close (i32.const 2)))))
        i32.const 0))"#;

fn run(sidecar: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let scenario = format!(
        "
name: bytes pass
inbound: {sidecar}
steps: [connect: {{}}, client: {{ write: hello }}, expect: {{ server: {{ received: hello }} }}]
"
    );
    fs::write(folder.path().join("filter.wat"), FILTER).unwrap();
    fs::write(folder.path().join("scenario.yaml"), scenario).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(["run", "--wasm", "filter.wat", "scenario.yaml"])
        .args(arguments)
        .current_dir(folder.path())
        // The cache of compiled modules.
        .env("XDG_CACHE_HOME", folder.path());
    let output = command.output().unwrap();
    let compiled = fs::read_dir(folder.path().join("host-harness/modules"));
    let compiled = compiled.map_or(0, Iterator::count);
    assert_eq!(compiled, usize::from(output.status.code() != Some(2)));
    output
}

#[test]
fn a_filter_sees_what_this_version_of_envoy_has() {
    for (sidecar, arguments, code) in [
        ("{}", &[][..], 0),
        ("{}", &["--envoy-version", "1.37"], 0),
        ("{}", &["--envoy-version", "1.36.4"], 1),
        (r#"{ profile: "1.36" }"#, &[], 1),
        // The scenario's own version counts.
        (r#"{ profile: "1.36" }"#, &["--envoy-version", "1.40"], 1),
    ] {
        let output = run(sidecar, arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{sidecar} {arguments:?}: {output:?}"
        );
    }
}

#[test]
fn an_unknown_version_is_an_error_that_lists_the_known_ones() {
    let output = run("{}", &["--envoy-version", "1.35"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected =
        "there is no profile of Envoy 1.35: use one of legacy, 1.36, 1.37, 1.38, 1.39, 1.40";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_compiled_module_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = "{ name: nothing, inbound: {}, steps: [connect: {}] }";
    fs::write(folder.path().join("filter.wat"), FILTER).unwrap();
    fs::write(folder.path().join("scenario.yaml"), scenario).unwrap();
    // A module that is compiled again is stored as another file.
    let stored = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command
            .args(["run", "--wasm", "filter.wat", "scenario.yaml"])
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", folder.path());
        assert!(command.output().unwrap().status.success());
        let modules = fs::read_dir(folder.path().join("host-harness/modules")).unwrap();
        let files = modules.map(|file| file.unwrap().metadata().unwrap().ino());
        files.collect::<Vec<_>>()
    };
    let first = stored();
    assert_eq!(first.len(), 1);
    assert_eq!(stored(), first);
}
