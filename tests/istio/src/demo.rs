//! `cargo istio demo`: Bookinfo's ratings-v2 and its databases under a real control plane.

mod bookinfo;
mod database;
mod kept;
mod report;

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use clap::Args;
use mesh::Scratch;
use serde::{Deserialize, Serialize};

use self::bookinfo::Bookinfo;
use self::report::Report;
use crate::error::Result;
use crate::run::Run;

/// The pause between visits while the demo is kept.
const BETWEEN_VISITS: Duration = Duration::from_secs(1);

/// The options of the demo.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Options {
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub json: bool,

    /// Continue to run until Ctrl-C, and print how to look at the parts
    #[arg(long)]
    pub keep: bool,
}

/// Runs the demo. Returns whether every check passed. `port` leads to its Prometheus, from outside.
///
/// # Errors
/// A part does not start.
pub fn run(run: &Run, options: &Options, port: Option<u16>) -> Result<bool> {
    let scratch = Scratch::new_in(&run.work, "demo")?;
    let mut control = run.control_plane()?;
    let mut bookinfo = Bookinfo::start(run, &mut control, &scratch)?;
    let findings = bookinfo.visit(run, &scratch)?;
    let mut checks = findings.checks;
    checks.push(report::acknowledged(
        &control.istiod,
        bookinfo.pods().len(),
    )?);
    let report = Report {
        ok: checks.iter().all(|check| check.ok),
        envoy: run.parts.envoy_version.clone(),
        databases: bookinfo.versions(),
        reporters: findings.reporters,
        checks,
        seconds: run.stages.seconds(),
    };
    let text = if options.json {
        report.to_json()
    } else {
        report.render()
    };
    // The reader may have closed the pipe.
    let _gone = writeln!(io::stdout(), "{text}");
    if options.keep {
        let prometheus = kept::prometheus(&scratch, &bookinfo.pods())?;
        let live = kept::live(prometheus.as_ref().and(port));
        let page = kept::page(run, &bookinfo.pods(), &live);
        let _gone = writeln!(io::stdout(), "{page}");
        loop {
            // The end of the standard input ends the process. An error shows in the metrics.
            let _seen = bookinfo.send_traffic(&scratch);
            thread::sleep(BETWEEN_VISITS);
        }
    }
    Ok(report.ok)
}
