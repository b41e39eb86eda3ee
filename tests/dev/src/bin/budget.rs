//! `cargo budget`: the cost of each callback of the filter, compared with its budget.

use std::process::ExitCode;

use budget::{Figures, Filters, Verdict, targets};
use clap::Parser;

/// Measure the cost of the filter and compare it with the budget.
///
/// Whole connections, steady data and ticks with very many connections, in the emulator: fuel
/// (about one per WebAssembly instruction), host calls, allocations and guest memory of each
/// callback, none of which depends on the machine. The budget is tests/budget/budget.yaml. Exits
/// with 0 if it is met, 1 if it is exceeded and 2 if the measurement fails.
#[derive(Parser)]
#[command(
    name = "cargo budget",
    bin_name = "cargo budget",
    after_help = "Examples:
  cargo budget
  cargo budget --churn 1000000
  cargo budget --update"
)]
struct Options {
    /// Write the measured values into the budget.
    #[arg(long)]
    update: bool,
    /// Number of connections that are opened and closed before guest memory is measured again.
    #[arg(long, default_value_t = 10_000)]
    churn: usize,
}

impl Options {
    fn run(self) -> Result<ExitCode, budget::Error> {
        let file = budget::file();
        let measured = Figures::measure(&Filters::build()?, self.churn)?;
        print!("{measured}");
        for target in targets(&measured) {
            let verdict = match target.is_met() {
                true => "met",
                false => "MISSED",
            };
            println!(
                "{:<75} {:>10.2} of {:>6} {verdict}",
                target.what, target.measured, target.limit
            );
        }
        let budget = Figures::read(&file);
        if let Ok(budget) = &budget {
            print!("{}", Verdict::of(&measured, budget));
        }
        if self.update {
            measured.write(&file)?;
            println!("wrote {}", file.display());
            return Ok(ExitCode::SUCCESS);
        }
        Ok(match Verdict::of(&measured, &budget?).is_met() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn main() -> ExitCode {
    Options::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
