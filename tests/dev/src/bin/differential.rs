//! `cargo differential`: random scenarios in the emulator and in real Envoy, compared event by
//! event.

use std::process::ExitCode;
use std::{fs, io};

use clap::Parser;
use differential::{
    Error, Exchanges, Finding, Hosts, Programs, mix, random, random_exchange, random_program,
    shrink, with_table,
};
use indicatif::{ProgressBar, ProgressStyle};

/// The number of differences that are shrunk and shown in full. Of the others, the first differing
/// lines are shown.
const SHOWN: usize = 3;

/// The page with the table of features.
const PAGE: &str = "host-harness/README.md";

/// Run random scenarios in the harness and in real Envoy and compare the observations of the filter
/// and of the applications.
///
/// A scenario has one proxy with a probe filter. A program has one or two sidecars with several
/// filters, filter chains, TLS, timers and connections. An exchange has two sidecars with the filter
/// of this repository and several connections. Each difference is printed with the observations in
/// both, that of a scenario after it was shrunk. Exits with 0 without differences, with 1
/// if there are differences, and with 2 if a host does not work.
#[derive(Parser)]
#[command(
    name = "cargo differential",
    bin_name = "cargo differential",
    after_help = "Examples:
  cargo differential --cases 1000 --seed 7
  cargo differential --envoy-version 1.36.4"
)]
struct Options {
    /// Number of scenarios.
    #[arg(long, value_name = "N", default_value_t = 100)]
    cases: usize,
    /// Number of programs.
    #[arg(long, value_name = "N", default_value_t = 100)]
    programs: usize,
    /// Number of exchanges.
    #[arg(long, value_name = "N", default_value_t = 20)]
    exchanges: usize,
    /// The same seed gives the same scenarios.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Version of Envoy to fetch; default: $ENVOY_BIN, `envoy` on the PATH, or the pinned version.
    #[arg(long, value_name = "VERSION")]
    envoy_version: Option<String>,
    /// Write the table of features into the page of the harness and run nothing.
    #[arg(long)]
    features: bool,
}

impl Options {
    /// Prints the differences and their number.
    fn run(self) -> Result<ExitCode, Error> {
        if self.features {
            return Ok(write_features());
        }
        let hosts = Hosts::new(self.envoy_version.as_deref())?;
        eprintln!(
            "Envoy {} ({})",
            hosts.envoy().version,
            hosts.envoy().path.display()
        );
        let scenarios: Vec<_> = (0..self.cases)
            .map(|index| random(hosts.profile(), self.seed, index))
            .collect();
        let progress = ProgressBar::new(self.cases as u64).with_style(style());
        let mut findings = Vec::new();
        hosts.compare(&scenarios, |_, finding| {
            findings.extend(finding);
            progress.set_message(findings.len().to_string());
            progress.inc(1);
        })?;
        progress.finish_and_clear();
        let count = findings.len();
        report(&hosts, findings)?;
        println!("{} scenarios, {count} differences", self.cases);
        let count = count + self.compare_programs()?;
        let count = count + self.compare_exchanges()?;
        Ok(match count {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

impl Options {
    /// Prints the differences of the programs and what they had of Envoy, and returns their number.
    fn compare_programs(&self) -> Result<usize, Error> {
        let programs = Programs::new(self.envoy_version.as_deref())?;
        let all: Vec<_> = (0..self.programs)
            .map(|index| random_program(programs.profile(), self.seed, index))
            .collect();
        let progress = ProgressBar::new(self.programs as u64).with_style(style());
        let (mut played, mut differences) = (Vec::new(), Vec::new());
        programs.compare(&all, |program, difference| {
            played.push(program.clone());
            differences.extend(difference);
            progress.set_message(differences.len().to_string());
            progress.inc(1);
        })?;
        progress.finish_and_clear();
        for difference in &differences {
            println!("{difference}");
        }
        let count = differences.len();
        println!("{} programs, {count} differences", self.programs);
        for (feature, programs) in mix(&played) {
            println!("  {programs:5} have reached {feature}");
        }
        Ok(count)
    }

    /// Prints the differences of the exchanges and returns their number.
    fn compare_exchanges(&self) -> Result<usize, Error> {
        let exchanges = Exchanges::new(self.envoy_version.as_deref())?;
        let programs: Vec<_> = (0..self.exchanges)
            .map(|index| random_exchange(exchanges.profile(), self.seed, index))
            .collect();
        let progress = ProgressBar::new(self.exchanges as u64).with_style(style());
        let mut differences = Vec::new();
        exchanges.compare(&programs, |difference| {
            differences.extend(difference);
            progress.set_message(differences.len().to_string());
            progress.inc(1);
        })?;
        progress.finish_and_clear();
        for difference in differences.iter().take(SHOWN) {
            println!("{difference}");
        }
        let count = differences.len();
        println!("{} exchanges, {count} differences", self.exchanges);
        Ok(count)
    }
}

fn report(hosts: &Hosts, findings: Vec<Finding>) -> Result<(), Error> {
    for (index, finding) in findings.into_iter().enumerate() {
        if index < SHOWN {
            println!("{}", shrink(hosts, finding)?);
        } else {
            let difference = finding.difference;
            println!("scenario {}", finding.scenario.name);
            println!(
                "  harness: {}\n  Envoy:   {}",
                difference.harness, difference.envoy
            );
        }
    }
    Ok(())
}

/// Writes the table of features into [`PAGE`], in the root of the repository.
fn write_features() -> ExitCode {
    let written = fs::read_to_string(PAGE).and_then(|page| {
        let without_marks = || io::Error::other("the page has no marks for the table");
        fs::write(PAGE, with_table(&page).ok_or_else(without_marks)?)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {PAGE}: {error}");
            ExitCode::from(2)
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{pos}/{len} scenarios, {msg} differences, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn main() -> ExitCode {
    Options::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
