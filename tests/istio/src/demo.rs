//! `cargo istio demo`: Bookinfo's ratings-v2 and its databases under a real control plane.

mod bookinfo;
mod database;
mod kept;
mod report;

use std::io::{self, Write};
use std::thread;

use clap::Args;
use mesh::Scratch;
use serde::{Deserialize, Serialize};

use self::bookinfo::Bookinfo;
use self::report::Report;
use crate::error::Result;
use crate::run::Run;

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

/// Runs the demo. Returns whether every check passed.
///
/// # Errors
/// A part does not start.
pub fn run(run: &Run, options: &Options) -> Result<bool> {
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
        let _gone = writeln!(io::stdout(), "{}", kept::page(run, &bookinfo.pods()));
        loop {
            // The end of the standard input ends the process.
            thread::park();
        }
    }
    Ok(report.ok)
}
