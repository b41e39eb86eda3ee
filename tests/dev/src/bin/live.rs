//! `cargo live`: the TCP connections of a mesh on a page, from its Prometheus.

use std::process::ExitCode;

use clap::Parser;
use dev::live::{self, Options};

fn main() -> ExitCode {
    live::run(&Options::parse())
}
