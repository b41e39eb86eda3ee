//! `cargo evidence`: what was tried to break it, in figures.

use std::process::ExitCode;

use clap::Parser;
use testbed::evidence::{self, Options};

fn main() -> ExitCode {
    evidence::run(&Options::parse())
}
