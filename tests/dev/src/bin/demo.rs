//! `cargo demo`: the TCP connections between workloads, from the metrics of stock Envoy.

use std::process::ExitCode;

use clap::Parser;
use dev::demo::{self, Options};

fn main() -> ExitCode {
    demo::run(&Options::parse())
}
