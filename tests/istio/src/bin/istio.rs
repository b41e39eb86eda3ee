//! `cargo istio`: the filter under a real Istio control plane, on this machine.

use std::process::ExitCode;

use clap::Parser;
use istio::command::{self, Options};

fn main() -> ExitCode {
    command::run(&Options::parse())
}
