//! `cargo matrix`: the end-to-end tests in every supported Envoy and every situation.

use std::process::ExitCode;

use clap::Parser;
use dev::matrix::{self, Options};

fn main() -> ExitCode {
    matrix::run(&Options::parse())
}
