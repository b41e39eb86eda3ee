//! Very many connections through two sidecars: both count every byte and every connection, and
//! their memory does not grow.
//!
//! First `concurrent` connections are open at the same time, then `connections` follow one after
//! the other. The applications count the bytes: a tap would be the bottleneck.

mod load;
mod pair;
mod report;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

pub(crate) use self::load::Load;
use self::pair::Memory;
pub(crate) use self::pair::{Pair, Setup, raise_file_limit};
pub use self::report::{Report, Sidecar};
use mesh::EnvoyBinary;
use mesh::error::Result;
use mesh::labels::Reporter;
use mesh::wasm;

/// The number of connections before the first measurement.
const WARM_UP: u64 = 1000;

/// Sends very many connections of random sizes through two stock Envoys with the filter, peer
/// exchange over mTLS, and compares the counts of the filter with those of the applications.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo soak", bin_name = "cargo soak")]
pub struct Options {
    /// Number of connections that are open at the same time
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub concurrent: u64,

    /// Number of connections that follow one after the other
    #[arg(long, value_name = "M", default_value_t = 5000)]
    pub connections: u64,

    /// Least time of these connections, in seconds
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seconds: u64,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Runs the soak test and prints the report.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let report = match soak(options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("soak: {error}");
            return ExitCode::FAILURE;
        }
    };
    match options.json {
        true => println!("{}", report.json()),
        false => print!("{report}"),
    }
    match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Runs the soak test.
///
/// # Errors
/// A part does not start, or the applications lost a connection or a byte.
pub fn soak(options: &Options) -> Result<Report> {
    raise_file_limit();
    let load = Load::start()?;
    let pair = Pair::start(
        &EnvoyBinary::find(None)?,
        &wasm::build()?,
        Some(&json!({ "tcp_reporting_duration": "1s" })),
        load.application(),
        Setup::default(),
    )?;
    let started = Instant::now();
    load.one_by_one(pair.address(), WARM_UP, Duration::ZERO)?;
    let held = load.open(pair.address(), options.concurrent)?;
    let full = pair.settled(&load)?;
    load.finish(held)?;
    pair.settled(&load)?;
    let warm = pair.memory()?;
    load.one_by_one(
        pair.address(),
        options.connections,
        Duration::from_secs(options.seconds),
    )?;
    let counts = pair.settled(&load)?;
    let took = started.elapsed();
    let end = pair.memory()?;
    let sidecar = |reporter: Reporter, warm: Memory, end: Memory| -> Result<Sidecar> {
        Ok(Sidecar {
            reporter,
            counts: pair.reported(reporter)?,
            exchanged: pair.exchanged(reporter)?,
            open: pair.open(reporter)?,
            warm,
            end,
        })
    };
    let [source, destination] = Reporter::BOTH;
    Ok(Report {
        concurrent: full.open(),
        counts,
        seconds: took.as_secs_f64(),
        sidecars: [
            sidecar(source, warm[0], end[0])?,
            sidecar(destination, warm[1], end[1])?,
        ],
    })
}
