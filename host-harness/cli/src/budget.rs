use std::process::ExitCode;

use crate::output::{out, outln};
use budget::{Figures, Filters, Verdict, targets};

/// Measure what the filter costs and hold it against its budget.
///
/// Whole connections, steady data and ticks with very many connections, in the emulator: fuel (about one per WebAssembly
/// instruction), host calls, allocations and guest memory of each callback, none of which depends on the machine. The budget is
/// tests/budget/budget.yaml. Exits with 0 when it is met, 1 when it is not and 2 when nothing can be measured.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo harness budget
  cargo harness budget --churn 1000000
  cargo harness budget --update")]
pub(crate) struct Budget {
    /// Write what is measured into the budget.
    #[arg(long)]
    update: bool,
    /// How many connections come and go before guest memory is looked at again.
    #[arg(long, default_value_t = 10_000)]
    churn: usize,
}

impl Budget {
    pub(crate) fn run(self) -> Result<ExitCode, budget::Error> {
        let file = budget::file();
        let measured = Figures::measure(&Filters::build()?, self.churn)?;
        out!("{measured}");
        for target in targets(&measured) {
            let verdict = match target.is_met() {
                true => "met",
                false => "MISSED",
            };
            outln!(
                "{:<75} {:>10.2} of {:>6} {verdict}",
                target.what,
                target.measured,
                target.limit
            );
        }
        let budget = Figures::read(&file);
        if let Ok(budget) = &budget {
            out!("{}", Verdict::of(&measured, budget));
        }
        if self.update {
            measured.write(&file)?;
            outln!("wrote {}", file.display());
            return Ok(ExitCode::SUCCESS);
        }
        Ok(match Verdict::of(&measured, &budget?).is_met() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}
