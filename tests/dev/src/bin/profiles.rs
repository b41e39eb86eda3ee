//! `cargo profiles`: what a network filter sees in each version of Envoy, compared with the
//! recorded profiles.

use std::fs;
use std::process::ExitCode;

use clap::Parser;
use mesh::EnvoyBinary;
use mesh::error::Context as _;
use profiles::{RELEASES, Result, file_of, in_envoy, profile_of};

/// Ask each version of Envoy what a network filter sees, and compare the answers with the profiles
/// of the emulator.
///
/// A probe filter asks for every property, host call, foreign function and filter state object in
/// every callback. The profiles are the files in host-harness/profiles/. Exits with 0 without
/// differences, with 1 if there are differences, and with 2 if an Envoy does not work.
#[derive(Parser)]
#[command(
    name = "cargo profiles",
    bin_name = "cargo profiles",
    after_help = "Examples:
  cargo profiles
  cargo profiles --envoy-version 1.39.3
  cargo profiles --write"
)]
struct Options {
    /// Only this release; can be repeated. It is fetched with pip.
    #[arg(long = "envoy-version", value_name = "VERSION")]
    versions: Vec<String>,
    /// Write the answers to the profiles.
    #[arg(long)]
    write: bool,
}

impl Options {
    fn run(self) -> Result<ExitCode> {
        let mut versions = self.versions;
        if versions.is_empty() {
            versions.extend(RELEASES.map(str::to_owned));
        }
        let mut differ = false;
        for version in &versions {
            let file = file_of(profile_of(version)?);
            eprintln!("Envoy {version}");
            let survey = in_envoy(&EnvoyBinary::find(Some(version))?)?.to_string();
            if self.write {
                fs::write(&file, &survey).context(|| format!("cannot write {}", file.display()))?;
                continue;
            }
            let recorded = fs::read_to_string(&file);
            let recorded = recorded.context(|| format!("cannot read {}", file.display()))?;
            for difference in profiles::differences(&recorded, &survey) {
                differ = true;
                println!("{version}: {difference}");
            }
        }
        Ok(match differ {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

fn main() -> ExitCode {
    Options::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
