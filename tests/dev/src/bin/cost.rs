//! `cargo cost`: the instructions that the filter costs real Envoys.

use std::process::ExitCode;

use clap::Parser;
use dev::cost::{self, Options};

fn main() -> ExitCode {
    cost::run(&Options::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
