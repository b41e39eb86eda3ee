//! The verdicts and exit codes of `harness run`, and its help.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod program;

use std::fs;
use std::process::{Command, Stdio};

use program::harness;

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

const TRAPS: &str = r#"(module
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "]]><&last\01words")
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1"))
    (func $deep unreachable)
    (func (export "proxy_on_log") (param i32)
        (drop (call $log (i32.const 2) (i32.const 64) (i32.const 15)))
        (call $deep)))"#;

const CLOSES: &str = "
name: a <closed> connection
inbound: {}
steps: [connect: {}, client: { end: true }, server: { end: true }]
";

/// A folder with a filter that traps, and scenarios in which it does.
fn failing() -> tempfile::TempDir {
    let folder = folder();
    let wanted = "server: { end: true }, expect: { failure: proxy_on_log trapped }]";
    let expects = CLOSES.replace("server: { end: true }]", wanted);
    for (file, text) in [
        ("traps.wat", TRAPS),
        ("closes.yaml", CLOSES),
        ("expects.yaml", &expects),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

#[test]
fn a_trap_fails_a_scenario_whose_expectations_are_met() {
    let folder = failing();
    for command in ["run", "trace", "chaos"] {
        let output = harness(
            folder.path(),
            &[command, "--wasm", "traps.wat", "closes.yaml"],
        );
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(output.status.code(), Some(1), "{command}: {text}");
        for part in [
            "proxy_on_log trapped: wasm trap: wasm `unreachable`",
            "- deep",
            "last\u{1}words",
        ] {
            assert!(text.contains(part), "{command}: {part:?} is not in {text}");
        }
    }
    let arguments = ["run", "--wasm", "traps.wat", "expects.yaml"];
    assert_eq!(harness(folder.path(), &arguments).status.code(), Some(0));
    // The same scenario, with a filter that does not trap.
    let arguments = ["run", "--wasm", "filter.wat", "expects.yaml"];
    assert_eq!(harness(folder.path(), &arguments).status.code(), Some(1));
}

#[test]
fn results_are_json_and_a_junit_report_too() {
    let folder = failing();
    let arguments = [
        "run",
        "--json",
        "--junit",
        "report.xml",
        "--wasm",
        "traps.wat",
        "closes.yaml",
        "no-scenario.yaml",
        "expects.yaml",
    ];
    let output = harness(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for count in ["passed", "failed", "not_played"] {
        assert_eq!(json[count], 1, "{json:#}");
    }
    let failed = &json["scenarios"][0];
    assert_eq!(failed["file"], "closes.yaml");
    assert_eq!(failed["verdict"], "failed");
    assert_eq!(failed["failure"]["kind"], "trap");
    assert_eq!(failed["failure"]["callback"], "proxy_on_log");
    assert_eq!(json["scenarios"][1]["verdict"], "not_played");

    let xml = fs::read_to_string(folder.path().join("report.xml")).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (3, 1, 1));
    let case = &report.test_suites[0].test_cases[0];
    assert_eq!(case.name.as_str(), "a <closed> connection");
    let quick_junit::TestCaseStatus::NonSuccess { description, .. } = &case.status else {
        panic!("{case:?}");
    };
    assert!(
        description.as_ref().unwrap().as_str().contains("]]><&last"),
        "{xml}"
    );
}

#[test]
fn a_file_that_is_no_scenario_is_an_error_with_line_key_and_shapes() {
    let folder = folder();
    fs::write(folder.path().join("base.yaml"), "inbound: { rootid: x }\n").unwrap();
    for (text, parts) in [
        (
            "steps: [client: { write: { hx: 3d } }]",
            &["wrong.yaml:4:", "unknown field `hx`", "hex"][..],
        ),
        (
            "steps: [client: { write: { hex: zz } }]",
            &["wrong.yaml:4:", "\"zz\" is not pairs"],
        ),
        (
            "steps: [client: { write: { repeat: a } }]",
            &["wrong.yaml:4:", "text, { hex: 3d23 }"],
        ),
        (
            "steps: [client: { write: 5 }]",
            &["wrong.yaml:4:", "text, { hex: 3d23 }, {"],
        ),
        (
            "steps: [advance: 3]",
            &["wrong.yaml:4:", "500ms, 15s or 2m"],
        ),
        ("steps: [wait: 3s]", &["wrong.yaml:4:", "`wait`", "advance"]),
        (
            "base: base.yaml\nsteps: []",
            &["base.yaml:1:", "`rootid`", "root_id"],
        ),
        (
            "base: base.yaml\nsteps: [wait: 3s]",
            &["wrong.yaml:5:", "`wait`"],
        ),
        ("about: no steps", &["no key `steps`"]),
        (
            "steps: [drain: outbound]",
            &["`steps[0].drain`", "no sidecar \"outbound\"", "\"inbound\""],
        ),
    ] {
        let yaml = format!("name: wrong\n# A comment.\ninbound: {{}}\n{text}\n");
        fs::write(folder.path().join("wrong.yaml"), yaml).unwrap();
        let output = harness(
            folder.path(),
            &["run", "--wasm", "filter.wat", "wrong.yaml"],
        );
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{text}: {printed}");
        for part in parts {
            assert!(
                printed.contains(part),
                "{text}: {part:?} is not in {printed}"
            );
        }
    }
}

#[test]
fn the_help_has_a_whole_scenario_and_the_exit_codes() {
    let folder = folder();
    let help = harness(folder.path(), &["run", "--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let (_, scenario) = help.split_once("A whole scenario:\n\n").unwrap();
    let (scenario, _) = scenario.split_once("\n\n").unwrap();
    fs::write(folder.path().join("help.yaml"), scenario).unwrap();
    let output = harness(folder.path(), &["run", "--wasm", "filter.wat", "help.yaml"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "ok      help.yaml\n1 passed, 0 failed\n");

    for command in ["run", "trace", "chaos", "bench", "inspect", "schema"] {
        let help = harness(folder.path(), &[command, "--help"]).stdout;
        let help = String::from_utf8(help).unwrap();
        assert!(
            help.contains("Exits with 0") || help.contains("exit code is 0"),
            "{help}"
        );
    }
}

#[test]
fn the_schema_accepts_the_minimal_scenario_and_refuses_an_unknown_key() {
    let folder = folder();
    let schema = harness(folder.path(), &["schema"]).stdout;
    let schema = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let minimal: serde_json::Value =
        serde_saphyr::from_str(include_str!("../src/minimal.yaml")).unwrap();
    assert!(validator.is_valid(&minimal));
    let mut unknown = minimal;
    unknown["inbound"]["rootid"] = "x".into();
    assert!(!validator.is_valid(&unknown));
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
        &["schema"],
        &["bench", "--callbacks", "1", "--wasm", "filter.wat"],
        &["run", "--json", "--wasm", "filter.wat", "passing"],
        &["run", "--help"],
        &["new", "made"],
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
