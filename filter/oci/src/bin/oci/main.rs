//! `cargo oci`: the filter as an OCI image.

mod build;
mod inspect;
mod login;
mod output;
mod push;

use std::process::ExitCode;

use clap::Parser;

/// Exit code when a command could not do its work, as clap's for a wrong command line.
const FAILED: u8 = 2;

/// The filter as an OCI image that Istio agents take.
#[derive(Parser)]
#[command(name = "cargo oci", version)]
enum Command {
    Build(build::Build),
    Push(push::Push),
    Inspect(inspect::Inspect),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Build(command) => command.run(),
        Command::Push(command) => command.run(),
        Command::Inspect(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(format_args!("error: {error}"));
            ExitCode::from(FAILED)
        }
    }
}
