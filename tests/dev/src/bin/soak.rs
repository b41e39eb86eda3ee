//! `cargo soak`: very many connections through two real Envoys, with exact counts.

use std::process::ExitCode;

use clap::Parser;
use dev::soak::{self, Options};

fn main() -> ExitCode {
    soak::run(&Options::parse())
}
