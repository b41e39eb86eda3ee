//! The command `wasm-panics`.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::process::{Command, Output};

fn panics(module: &str, arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("filter.wasm");
    std::fs::write(&file, module).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-panics"));
    command.args(arguments).arg(file);
    command.output().unwrap()
}

const ONE: &str = r#"(module
    (func $abort unreachable)
    (func $check (param i32) (if (local.get 0) (then (call $abort))))
    (func (export "proxy_on_tick") (param i32) (call $check (local.get 0))))"#;

#[test]
fn a_place_is_listed_with_its_path_and_fails() {
    let output = panics(ONE, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let site = serde_json::json!({
        "panic": "abort",
        "frames": [{"function": "check", "location": null}],
        "path": [
            {"function": "proxy_on_tick", "indirect": false},
            {"function": "check", "indirect": false},
        ],
    });
    assert_eq!(found, serde_json::json!({"functions": 3, "sites": [site]}));

    let text = String::from_utf8(panics(ONE, &[]).stdout).unwrap();
    assert!(text.contains("by  proxy_on_tick → check"), "{text}");
    assert!(text.ends_with("places: 1, functions: 3\n"), "{text}");
}

#[test]
fn a_module_without_such_a_place_succeeds() {
    let output = panics(r#"(module (func $run (export "run")))"#, &[]);
    assert!(output.status.success());
}

#[test]
fn a_stripped_module_is_an_error_with_a_remedy() {
    let output = panics(r#"(module (func (export "run") unreachable))"#, &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("strip=false"), "{error}");
}
