//! The command `harness inspect`.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

use std::process::{Command, Output};

fn inspect(module: &str, arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("filter.wasm");
    std::fs::write(&file, module).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.arg("inspect").args(arguments).arg(file);
    command.output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

const WHOLE: &str = r#"(module
    (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (import "env" "emscripten_notify_memory_growth" (func (param i32)))
    (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_0"))
    (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32) i32.const 0))"#;

#[test]
fn a_module_that_can_be_loaded_is_described() {
    let output = inspect(WHOLE, &["--json"]);
    assert!(output.status.success());
    let found = json(&output);
    assert_eq!(found["abi_version"], "0.2.0");
    assert_eq!(found["kind"], "network filter");
    assert_eq!(found["imports"]["proxy_wasm"][0], "proxy_log");
    assert_eq!(found["imports"]["wasi"][0], "fd_write");
    assert_eq!(
        found["imports"]["other"][0],
        "env.emscripten_notify_memory_growth"
    );
    assert_eq!(found["callbacks"][0], "proxy_on_downstream_data");
    assert_eq!(found["missing"].as_array().unwrap().len(), 0);

    let text = String::from_utf8(inspect(WHOLE, &[]).stdout).unwrap();
    assert!(text.contains("nothing: the harness can load it"), "{text}");
}

#[test]
fn a_missing_import_is_named_and_fails() {
    // ABI 0.2.0 introduced proxy_continue_stream: the harness does not provide it for ABI 0.1.0.
    let module = r#"(module
        (import "env" "proxy_continue_stream" (func (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
        (func (export "proxy_abi_version_0_1_0")))"#;
    let output = inspect(module, &["--json"]);
    assert_eq!(output.status.code(), Some(2));
    let found = json(&output);
    let missing = [
        "env.proxy_continue_stream",
        "wasi_snapshot_preview1.sock_open",
    ];
    assert_eq!(found["missing"], serde_json::json!(missing));
    assert_eq!(
        found["problems"].as_array().unwrap().len(),
        3,
        "imports, memory, allocator"
    );
}

#[test]
fn a_file_of_another_format_is_named_with_its_format() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = [0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (name, bytes, format) in [
        ("empty.wasm", &b""[..], "an empty file"),
        ("packed.wasm", b"\x1f\x8b\x08\0", "a gzip archive"),
        (
            "component.wasm",
            b"\0asm\x0d\0\x01\0",
            "a WebAssembly component",
        ),
        ("program", b"\x7fELF\x02", "an ELF file"),
        ("layer.tar", &tar, "a tar archive"),
        ("filter.a", b"!<arch>\n", "a static library"),
        ("text.wasm", b"\xff\xfe", "not a WebAssembly module"),
    ] {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        for command in [&["inspect"][..], &["bench", "--wasm"]] {
            let mut harness = Command::new(env!("CARGO_BIN_EXE_harness"));
            let output = harness.args(command).arg(&file).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{name}");
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(error.contains(format), "{error}");
            assert!(error.contains(&file.display().to_string()), "{error}");
        }
    }
}

#[test]
fn a_file_that_is_not_a_module_is_an_error() {
    let output = inspect("(modul", &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("not a WebAssembly module"), "{error}");
}
