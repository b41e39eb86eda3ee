//! The commands `harness trace`, `bench` and `chaos`.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::process::{Command, Output};

const FILTER: &str = r#"(module
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
        (drop (call $tick (i32.const 7))) i32.const 0))"#;

const SCENARIO: &str = "
name: bytes pass
inbound: {}
steps:
  - connect: {}
  - client: { write: hello }
  - expect: { server: { received: RECEIVED } }
";

fn harness(arguments: &[&str], received: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("filter.wasm"), FILTER).unwrap();
    let scenario = SCENARIO.replace("RECEIVED", received);
    std::fs::write(dir.path().join("scenario.yaml"), scenario).unwrap();
    let arguments = arguments.iter().map(|argument| match *argument {
        file @ ("filter.wasm" | "scenario.yaml") => dir.path().join(file).into_os_string(),
        other => other.into(),
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(arguments).output().unwrap()
}

#[test]
fn every_callback_and_host_call_is_a_line() {
    let output = harness(
        &["trace", "--json", "--wasm", "filter.wasm", "scenario.yaml"],
        "hello",
    );
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["hostcall"], "proxy_set_tick_period_milliseconds");
    assert_eq!(lines[0]["status"], "Ok");
    assert_eq!(lines[1]["callback"], "proxy_on_downstream_data");
    assert_eq!(lines[1]["arguments"], serde_json::json!([2, 5, 0]));
    assert!(lines[1]["fuel"].as_u64().unwrap() > 0);
    assert_eq!(lines.len(), 2);
}

#[test]
fn an_unmet_expectation_is_reported_and_fails() {
    let output = harness(&["trace", "--wasm", "filter.wasm", "scenario.yaml"], "bye");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("step 3"), "{error}");
}

#[test]
fn a_bench_has_a_line_without_a_filter_and_one_with_it() {
    let output = harness(&["bench", "--callbacks", "10", "--wasm", "filter.wasm"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(':')?.0.rsplit('/').next())
        .collect();
    let data = "  outbound proxy_on_downstream_data";
    assert_eq!(names, ["without the filter", "filter.wasm", data]);
    // Six instructions, and those of the call: the figure of wasmtime is about one for each.
    assert!(text.ends_with(" fuel and 1.00 host calls each\n"), "{text}");
}

#[test]
fn a_bench_has_the_configuration_of_a_scenario_and_fails_with_the_filter() {
    // It counts the bytes of its configuration, and traps in data of any size without one.
    let filter = r#"(module
        (memory (export "memory") 1)
        (global $size (mut i32) (i32.const 0))
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (global.set $size (local.get 1)) i32.const 1)
        (func (export "proxy_on_upstream_data") (param i32 i32 i32) (result i32)
            (if (i32.eqz (global.get $size)) (then unreachable)) i32.const 0))"#;
    let dir = tempfile::tempdir().unwrap();
    let scenario = "name: configured\ninbound: { configuration: text }\nsteps: []\n";
    std::fs::write(dir.path().join("filter.wat"), filter).unwrap();
    std::fs::write(dir.path().join("scenario.yaml"), scenario).unwrap();
    let bench = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        let arguments = ["bench", "--callbacks", "10", "--wasm", "filter.wat"];
        command.args(arguments).args(more);
        // Neither cargo nor anything else is on the path.
        command
            .env("PATH", "")
            .current_dir(dir.path())
            .output()
            .unwrap()
    };
    let measured = bench(&["scenario.yaml"]);
    let text = String::from_utf8(measured.stdout).unwrap();
    assert_eq!(measured.status.code(), Some(0), "{text}");
    assert!(
        text.contains("  inbound proxy_on_upstream_data: "),
        "{text}"
    );
    let failed = bench(&[]);
    assert_eq!(failed.status.code(), Some(1));
    let text = String::from_utf8(failed.stdout).unwrap();
    assert!(
        text.contains("FAILED: proxy_on_upstream_data trapped"),
        "{text}"
    );
}

#[test]
fn a_timeline_is_written_to_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("timeline.html");
    let page_argument = page.display().to_string();
    let arguments = [
        "trace",
        "--html",
        &page_argument,
        "--wasm",
        "filter.wasm",
        "scenario.yaml",
    ];
    let output = harness(&arguments, "hello");
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    let text = std::fs::read_to_string(page).unwrap();
    assert!(text.contains("<b>downstream_data</b>(2, 5, 0)"), "{text}");
    let output = harness(
        &[
            "trace",
            "--html",
            "/no/folder",
            "--wasm",
            "filter.wasm",
            "scenario.yaml",
        ],
        "hello",
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn chaos_plays_every_call_with_every_status() {
    let output = harness(&["chaos", "--wasm", "filter.wasm", "scenario.yaml"], "");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Two calls: each with 13 statuses, with 3 false results, and together with all later calls;
    // then the function with 13 statuses. It returns no data, so two false results have no effect.
    let last = "chaos: 1 scenarios, 47 cases, 57 faults injected, 0 refused to start, 0 traps or hangs, 0 losses";
    assert_eq!(text.lines().last(), Some(last));
}
