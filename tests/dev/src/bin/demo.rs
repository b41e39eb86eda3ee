//! `cargo demo`: who talks to whom over TCP, from stock Envoy, in one command.

use std::process::ExitCode;

use clap::Parser;
use dev::demo::{self, Options};

fn main() -> ExitCode {
    demo::run(&Options::parse())
}
