//! `cargo matrix`: the end-to-end tests in every supported Envoy and every situation.
//!
//! A [`Cell`] is a run of the end-to-end tests with one release of stock Envoy in one
//! [`Situation`].

mod cell;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

pub use self::cell::{Cell, Verdict};
pub use self::table::table;
use mesh::EnvoyBinary;
use mesh::error::Result;
use mesh::page;
use mesh::situation::Situation;
use mesh::workspace;
pub use profiles::RELEASES;

/// Runs the end-to-end tests in every supported release of stock Envoy, in plaintext, over mTLS
/// with the exchange, and over mTLS with telemetry only, and prints the results as a table.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo matrix", bin_name = "cargo matrix")]
pub struct Options {
    /// Only this release; can be repeated
    #[arg(long = "envoy-version", value_name = "VERSION")]
    versions: Vec<String>,

    /// Write the table to filter/docs/compatibility.md
    #[arg(long, conflicts_with = "versions")]
    write: bool,
}

/// Runs every cell. Succeeds if no test failed in an Envoy with Wasm.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    match run_cells(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("matrix: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The page with the table.
#[must_use]
pub fn document() -> PathBuf {
    workspace::root().join("filter/docs/compatibility.md")
}

fn run_cells(options: &Options) -> Result<bool> {
    let mut versions = options.versions.clone();
    if versions.is_empty() {
        versions = RELEASES.map(str::to_owned).to_vec();
    }
    let mut cells = Vec::new();
    for version in &versions {
        let binary = EnvoyBinary::find(Some(version))?;
        for situation in Situation::ALL {
            eprintln!("Envoy {version}, {}", situation.name());
            let cell = Cell::run(version, &binary, situation)?;
            eprint!("{cell}");
            cells.push(cell);
        }
    }
    let table = table(&cells);
    print!("{table}");
    if options.write {
        page::replace(&document(), "cargo matrix --write", &table)?;
    }
    Ok(cells.iter().all(Cell::is_good))
}
