//! `cargo harness vectors FILE`.
#![allow(clippy::unwrap_used)] // A test that cannot run its command fails.

use std::path::Path;
use std::process::{Command, Output};
use std::{fs, str};

const OURS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../proto/vectors/peer-exchange.json"
);

/// One whole frame without metadata and one byte behind it.
const VECTOR: &str = r#"{
    "name": "no-metadata-then-data",
    "expect": "no-metadata",
    "hex": "3d2304670000002c0a2a747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472756374ff",
    "consumed": 52,
    "rest_hex": "ff",
    "decoded": { "struct": {}, "peer_id": null }
}"#;

fn vectors(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("vectors")
        .arg(file)
        .output()
        .unwrap()
}

/// Runs the command on a file of that content.
fn vectors_in(content: &str) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, content).unwrap();
    vectors(file.path())
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn all_of_ours_pass() {
    let output = vectors(Path::new(OURS));

    assert_eq!(stdout(&output), "81 passed, 0 failed\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_wrong_vector_fails_by_name() {
    let wrong = VECTOR.replace(r#""expect": "no-metadata""#, r#""expect": "ok""#);
    let output = vectors_in(&format!(r#"{{ "vectors": [{VECTOR}, {wrong}] }}"#));

    assert_eq!(
        stdout(&output),
        "no-metadata-then-data: state, in one piece: expected ok, got no-metadata\n\
         1 passed, 1 failed\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_malformed_vector_is_named_with_its_field() {
    let malformed = VECTOR.replace(r#""hex": "3d"#, r#""hex": "xy"#);
    let output = vectors_in(&format!(r#"{{ "vectors": [{malformed}] }}"#));

    let expected = "no-metadata-then-data: field `hex` should be bytes in hex, not \"xy230467";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_missing_file_is_named() {
    let output = vectors(Path::new("no/such/file.json"));

    let expected = "error: cannot read no/such/file.json: No such file or directory";
    assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(2));
}
