//! `harness`: the command line of the host harness.

mod bench;
mod chaos;
mod exit;
mod files;
mod filter;
mod inspect;
mod interrupt;
mod new;
mod output;
mod run;
mod schema;
mod trace;
mod verdict;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

/// Test proxy-wasm network filters without Envoy.
#[derive(Parser)]
#[command(name = "harness", version)]
enum Command {
    Bench(bench::Bench),
    Chaos(chaos::Chaos),
    Inspect(inspect::Inspect),
    New(new::New),
    Run(run::Run),
    Schema(schema::Schema),
    Trace(trace::Trace),
}

fn main() -> ExitCode {
    let done: Result<_, Box<dyn Error>> = match Command::parse() {
        Command::Bench(command) => command.run().map_err(Into::into),
        Command::Chaos(command) => command.run().map_err(Into::into),
        Command::Inspect(command) => command.run().map_err(Into::into),
        Command::New(command) => command.run().map_err(Into::into),
        Command::Run(command) => command.run().map_err(Into::into),
        Command::Schema(command) => Ok(command.run()),
        Command::Trace(command) => command.run().map_err(Into::into),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(exit::ERROR)
    })
}
