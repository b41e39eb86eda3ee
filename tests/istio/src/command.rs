//! The command line.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitCode, id};

use clap::Parser;
use mesh::error::Context;
use mesh::progress::say;
use mesh::workspace;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::isolation::{self, Entered, INSIDE, Relay};
use crate::kubelet::container::{self, CONTAINER};
use crate::parts::Parts;
use crate::progress::Stages;
use crate::run::Run;
use crate::{demo, golden, scraping, suite, tools};

/// The filter under a real Istio control plane on this machine: etcd, the API server, istiod, its
/// injector and its agents, redirection by iptables, and stock Envoys.
#[derive(Debug, Parser)]
#[command(name = "cargo istio", bin_name = "cargo istio")]
pub enum Options {
    /// Build the programs of the control plane from Go modules, once per machine
    Tools {
        /// The families of programs; all if none is named
        families: Vec<String>,

        /// Build them only if that takes no more than this time, as estimated for two cores
        #[arg(long, value_name = "MINUTES")]
        within: Option<u32>,
    },
    /// Run Bookinfo's ratings-v2 and its databases, and print and check the metrics of both ends
    Demo(demo::Options),
    /// Write what istiod configures for every overlay, or compare it with what is in the tree
    Golden(golden::Options),
    /// Run the named checks, or all
    Suite(suite::Options),
    /// Run a job in the namespaces of this process
    #[command(hide = true, name = INSIDE)]
    Inside,
    /// Become the container of a plan
    #[command(hide = true, name = CONTAINER)]
    Container {
        /// The file of the plan
        plan: PathBuf,
    },
}

/// A job for the process in the namespaces.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    parts: Parts,
    kind: Kind,
    /// The folder for the logs of a job that failed.
    logs: PathBuf,
    /// The port outside of the namespaces that leads to the demo's Prometheus, if it is kept.
    prometheus: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Demo(demo::Options),
    Golden(golden::Options),
    Suite(suite::Options),
}

/// Runs a sub-command. The exit code is 0 if everything that it checks is right.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let result = match options {
        Options::Tools { families, within } => tools::build(families, *within).map(|()| 0),
        Options::Demo(options) => outside(Kind::Demo(options.clone())),
        Options::Golden(options) => outside(Kind::Golden(options.clone())),
        Options::Suite(options) if options.list => {
            suite::list();
            Ok(0)
        }
        Options::Suite(options) => {
            suite::known(options).and_then(|()| outside(Kind::Suite(options.clone())))
        }
        Options::Inside => inside(),
        Options::Container { plan } => container::run(plan).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prepares a job and runs it in new namespaces.
fn outside(kind: Kind) -> Result<u8> {
    isolation::check()?;
    let parts = Parts::prepare()?;
    let parts = match &kind {
        Kind::Demo(_) => parts.with_driver()?,
        Kind::Suite(options) if suite::needs_image(options) => parts.with_image()?,
        Kind::Suite(_) | Kind::Golden(_) => parts,
    };
    let is_kept = matches!(&kind, Kind::Demo(options) if options.keep);
    let relay = is_kept.then(|| Relay::start(scraping::PORT)).transpose()?;
    let job = Job {
        parts,
        kind,
        logs: workspace::target()
            .join("runs")
            .join(format!("istio-{}", id())),
        prometheus: relay.as_ref().map(Relay::port),
    };
    isolation::run(&job, relay.as_ref())
}

/// Runs a job in the namespaces of this process.
fn inside() -> Result<u8> {
    let stages = Stages::start();
    let Entered {
        job,
        work,
        outer_id,
    } = isolation::enter::<Job>()?;
    let logs = work.join("logs");
    fs::create_dir(&logs).context(|| format!("cannot create {}", logs.display()))?;
    let run = Run {
        parts: job.parts,
        work,
        logs: logs.clone(),
        outer_id,
        stages,
    };
    let result = match &job.kind {
        Kind::Demo(options) => demo::run(&run, options, job.prometheus),
        Kind::Golden(options) => golden::run(&run, options),
        Kind::Suite(options) => suite::run(&run, options),
    };
    if !matches!(result, Ok(true)) {
        isolation::save(&logs, &job.logs)?;
        say(&format!("logs: {}", job.logs.display()));
    }
    result.map(|ok| u8::from(!ok))
}
