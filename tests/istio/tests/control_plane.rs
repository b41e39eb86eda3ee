//! The command line, and the demo under a real control plane if its programs are built.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use istio::isolation;
use istio::tools::Tools;
use mesh::poll::{self, Look};
use mesh::prometheus::Api;
use mesh::testing::LIMIT;
use mesh::{available, tools};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn istio(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_istio"));
    Ok(command.args(arguments).output()?)
}

/// Whether the machine can run the control plane.
fn can_run() -> bool {
    if let Err(unmet) = isolation::check() {
        assert!(unmet.is_unmet(), "{unmet}");
        unmet::skip(unmet);
        return false;
    }
    if let Err(unmet) = Tools::find() {
        assert!(unmet.is_unmet(), "{unmet}");
        // Not required by REQUIRE_ALL: the programs take half an hour to build.
        unmet::skip_always(unmet);
        return false;
    }
    true
}

/// A process that is killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_kept_demo_passes_its_checks_and_names_the_command_of_the_live_page() -> Result {
    if !can_run() {
        return Ok(());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_istio"));
    let mut child = command
        .args(["demo", "--keep"])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let _running = Running(child);
    let mut lines = BufReader::new(output).lines().map_while(|line| line.ok());
    let lines = lines.by_ref();
    let is_page = |line: &String| line.starts_with("Still running");
    let report: Vec<_> = lines.take_while(|line| !is_page(line)).collect();
    let passed = |line: &String| line.starts_with("All ") && line.ends_with(" checks passed.");
    assert!(report.iter().any(passed), "{}", report.join("\n"));
    let line = lines
        .find(|line| line.contains("live"))
        .ok_or("no command")?;
    if available(tools::daemon("prometheus", "Install it: .ci/setup"))?.is_none() {
        assert!(line.contains("needs Prometheus"), "{line}");
        return Ok(());
    }
    let words: Vec<_> = line.split_whitespace().collect();
    let ["cargo", "live", "--prometheus", url, "--window", "60", ..] = words.as_slice() else {
        return Err(line.into());
    };
    let open = "sum by (source_workload) (istio_tcp_connections_opened_total{reporter=\"source\"})";
    poll::until("the demo's metrics at the URL", LIMIT, || {
        Ok(match Api::new(url).query(open) {
            Ok(found)
                if found
                    .iter()
                    .any(|it| it.has(&[("source_workload", "ratings-v2")])) =>
            {
                Look::Found(())
            }
            other => Look::NotYet(format!("{other:?}")),
        })
    })?;
    Ok(())
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
