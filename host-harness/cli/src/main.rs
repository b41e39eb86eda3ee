//! `cargo harness`: the command line of the host harness.

mod vectors;

use std::process::ExitCode;

use clap::Parser;

/// Exit code when a command could not do its work, as clap's for a wrong command line.
const FAILED: u8 = 2;

/// Tools around the host harness.
#[derive(Parser)]
#[command(name = "cargo harness", version)]
enum Command {
    Vectors(vectors::Vectors),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Vectors(command) => command.run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(FAILED)
    })
}
