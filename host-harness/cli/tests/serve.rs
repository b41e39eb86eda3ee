//! `harness serve` from outside.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;
use std::process::Command;

#[test]
fn a_bootstrap_that_cannot_be_served_ends_it_with_2_and_the_path_of_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("envoy.yaml");
    fs::write(
        &file,
        "static_resources: { clusters: [{ name: c, type: STRICT_DNS }] }",
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let output = command.arg("serve").arg("-c").arg(&file).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.starts_with("error: static_resources.clusters[0].type: "),
        "{errors}"
    );
}
