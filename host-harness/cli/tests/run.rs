//! The exit codes of `harness run`.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FILTER: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1")))"#;

const UNKNOWN_IMPORT: &str = r#"(module
    (import "env" "proxy_of_another_abi" (func))
    (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1")))"#;

const PASSES: &str = "
name: bytes pass
inbound: {}
steps: [connect: {}, client: { write: hello }, expect: { server: { received: hello } }]
";

fn harness(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// A folder with filters, and scenarios that pass, fail and cannot be read.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["passing", "several", "yml", "empty"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let fails = PASSES.replace("received: hello", "received: bye");
    for (file, text) in [
        ("filter.wat", FILTER),
        ("imports.wat", UNKNOWN_IMPORT),
        ("fails.yaml", &fails),
        ("no-scenario.yaml", "nonsense: 1"),
        ("passing/passes.yaml", PASSES),
        ("several/fails.yaml", &fails),
        ("several/no-scenario.yaml", "nonsense: 1"),
        ("several/passes.yaml", PASSES),
        ("yml/fails.yml", &fails),
        ("empty/passes.json", PASSES),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

#[test]
fn the_exit_code_distinguishes_passed_failed_and_not_played() {
    let folder = folder();
    for (arguments, code, expected) in [
        (
            &["--wasm", "filter.wat", "passing"][..],
            0,
            "1 passed, 0 failed\n",
        ),
        (
            &["--wasm", "filter.wat", "fails.yaml"],
            1,
            "0 passed, 1 failed\n",
        ),
        (
            &["--wasm", "filter.wat", "yml"],
            2,
            "yml has no scenario in it",
        ),
        (
            &["--wasm", "filter.wat", "no-scenario.yaml"],
            2,
            "0 passed, 0 failed, 1 could not be played\n",
        ),
        // A scenario that cannot be read does not stop the others.
        (
            &["--wasm", "filter.wat", "several"],
            2,
            "1 passed, 1 failed, 1 could not be played\n",
        ),
        (
            &["--wasm", "filter.wat", "empty"],
            2,
            "empty has no scenario in it",
        ),
        (&["--wasm", "filter.wat", "missing.yaml"], 2, "missing.yaml"),
        (&["--wasm", "missing.wasm", "passing"], 2, "missing.wasm"),
        (
            &["--wasm", "imports.wat", "passing"],
            2,
            "proxy_of_another_abi",
        ),
        (
            &["--host", "native", "--wasm", "filter.wat", "passing"],
            2,
            "invalid value 'native' for '--host",
        ),
        (&["passing"], 2, "<--wasm <FILE>|--package <NAME>>"),
        (
            &["--wasm", "filter.wat", "--package", "filter", "passing"],
            2,
            "cannot be used with",
        ),
        (
            &["--wasm", "filter.wat", "--profile", "dev", "passing"],
            2,
            "cannot be used with",
        ),
    ] {
        let output = harness(folder.path(), &[&["run"], arguments].concat());
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

/// `cargo harness … | head -n 0`.
#[test]
fn a_closed_pipe_ends_every_command_without_a_panic() {
    let folder = folder();
    for arguments in [
        &["run", "--wasm", "filter.wat", "passing"][..],
        &["trace", "--wasm", "filter.wat", "passing/passes.yaml"],
        &["chaos", "--wasm", "filter.wat", "passing"],
        &["inspect", "filter.wat"],
        &["inspect", "--json", "filter.wat"],
        &["panics", "filter.wat"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(arguments).current_dir(folder.path());
        let output = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}");
    }
}
