//! `cargo bench-envoy`: the CPU time and memory that the filter costs real Envoys.

use std::process::ExitCode;

use clap::Parser;
use dev::bench::{self, Options};

fn main() -> ExitCode {
    bench::run(&Options::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
