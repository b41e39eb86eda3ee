//! `cargo harness`: the command line of the host harness.

mod bench;
mod budget;
mod chaos;
mod diff;
mod filter;
mod growth;
mod inspect;
mod output;
mod run;
mod serve;
mod trace;
mod vectors;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

/// Exit code when a command could not do its work, as clap's for a wrong command line.
const FAILED: u8 = 2;

/// Tools around the host harness.
#[derive(Parser)]
#[command(name = "cargo harness", version)]
enum Command {
    Bench(bench::Bench),
    BenchEnvoy(testbed::bench::Options),
    Budget(budget::Budget),
    Chaos(chaos::Chaos),
    Diff(diff::Diff),
    Growth(growth::Growth),
    Inspect(inspect::Inspect),
    Run(run::Run),
    Serve(serve::Serve),
    Trace(trace::Trace),
    Vectors(vectors::Vectors),
}

fn main() -> ExitCode {
    let done: Result<_, Box<dyn Error>> = match Command::parse() {
        Command::Bench(command) => command.run().map_err(Into::into),
        Command::BenchEnvoy(options) => testbed::bench::run(&options).map_err(Into::into),
        Command::Budget(command) => command.run().map_err(Into::into),
        Command::Chaos(command) => command.run().map_err(Into::into),
        Command::Diff(command) => command.run().map_err(Into::into),
        Command::Growth(command) => command.run().map_err(Into::into),
        Command::Inspect(command) => command.run().map_err(Into::into),
        Command::Run(command) => command.run().map_err(Into::into),
        Command::Serve(command) => command.run().map_err(Into::into),
        Command::Trace(command) => command.run().map_err(Into::into),
        Command::Vectors(command) => command.run().map_err(Into::into),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(FAILED)
    })
}
