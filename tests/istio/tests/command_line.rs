//! The command line.

use std::process::{Command, Output};

use istio::isolation;
use mesh::tools;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn istio(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_istio"));
    Ok(command.args(arguments).output()?)
}

#[test]
fn a_wrong_name_is_refused_before_anything_starts() -> Result {
    let output = istio(&["suite", "no-such-check"])?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let expected =
        "error: there is no check no-such-check. Use one of: exchange, exchange-strict, ";
    assert!(errors.starts_with(expected), "{errors}");
    assert_eq!(output.status.code(), Some(1));

    let output = istio(&["tools", "no-such-family"])?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let expected = "error: there is no family of programs no-such-family. Use one of: etcd, mongodb, istio, kube, envoy-gateway, cosign\n";
    assert_eq!(errors, expected);
    Ok(())
}

#[test]
fn programs_are_not_built_if_the_time_is_too_short() -> Result {
    if tools::on_path("go").is_none() {
        unmet::skip("go was not found. Install it: .ci/setup");
        return Ok(());
    }
    let empty = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_istio"));
    let output = command
        .args(["tools", "--within", "1", "etcd", "kube"])
        .env("XDG_CACHE_HOME", empty.path())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.starts_with("error: etcd, kube: to build them takes about "),
        "{errors}"
    );
    assert!(errors.contains(" minutes, not 1. "), "{errors}");
    assert!(empty.path().read_dir()?.next().is_none());
    Ok(())
}

#[test]
fn programs_that_are_not_there_are_named_with_the_remedy() -> Result {
    // Without root or iptables, that is said first.
    if let Err(unmet) = isolation::check() {
        assert!(unmet.is_unmet(), "{unmet}");
        unmet::skip(unmet);
        return Ok(());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_istio"));
    let output = command
        .args(["demo"])
        .env("ISTIO_TOOLS", "/no-such-folder")
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let expected = "error: ISTIO_TOOLS=/no-such-folder has no etcd. Put it there, or unset ISTIO_TOOLS and run `cargo istio tools`\n";
    assert_eq!(errors, expected);
    Ok(())
}
