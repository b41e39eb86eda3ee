//! The demo under a real control plane, if its programs are built.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use istio::isolation;
use istio::tools::Tools;
use mesh::poll::{self, Look};
use mesh::prometheus::Api;
use mesh::testing::{LIMIT, Result};
use mesh::{available, tools};

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
#[ignore = "it takes half a minute; `.ci/run` runs it with the checks under Istio"]
fn a_kept_demo_passes_its_checks_and_names_the_command_of_the_live_page() -> Result {
    if !can_run() {
        return Ok(());
    }
    let mut command = Command::new(mesh::command("istio")?);
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
