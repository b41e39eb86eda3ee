use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use host_harness::chaos::{self, ChaosError, Violation};
use host_harness::scenario::Scenario;
use host_harness::{LoadError, Module, artifact};

use crate::files::{self, files};
use crate::filter::Filter;
use crate::output::outln;
use crate::verdict::{Counts, Verdict};

/// The number of violations of a scenario that are printed.
const SHOWN: usize = 5;

/// Test a filter with systematic faults in host calls.
///
/// Plays each scenario without a fault and counts the filter's host calls. Then plays it again for
/// each call: with each status, with each false result, and with all later calls failing too; and
/// for each function: with all its calls failing. Checks that the filter does not trap or hang,
/// that both applications receive the bytes of the run without a fault or the connection is closed,
/// and that no context remains.
///
/// Exits with 0 if this holds in every case, 1 if it does not, or not even without a fault, and 2 if
/// a scenario cannot be played.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness chaos --wasm filter.wasm scenarios/
  harness chaos --wasm filter.wasm scenario.yaml")]
pub(crate) struct Chaos {
    /// Scenarios: files, or folders of `.yaml` files.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
}

/// The reason why the command fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The outcome of the cases.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    injected: u64,
    /// Cases in which the filter did not start.
    refused: u64,
    /// Cases in which the filter trapped or consumed all fuel.
    traps: u64,
    /// Cases in which an invariant did not hold.
    losses: u64,
    shown: Vec<String>,
}

impl Chaos {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let files = files(&self.scenarios)?;
        let module = Module::from_file_cached(self.filter.file()?)?;
        let players = thread::available_parallelism().map_or(1, usize::from);
        let waiting = Mutex::new(files.iter());
        let total = Mutex::new((Tally::default(), Counts::default()));
        thread::scope(|scope| {
            for _ in 0..players {
                scope.spawn(|| {
                    while let Some(file) = next(&waiting) {
                        let played = play_all(file, &module);
                        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                        let verdict = match &played {
                            Ok(tally) => {
                                tally.print(file);
                                total.0.add(tally);
                                tally.verdict()
                            }
                            Err(verdict) => {
                                print_unplayed(file, verdict);
                                verdict.clone()
                            }
                        };
                        total.1.add(&verdict);
                    }
                });
            }
        });
        let (total, counts) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        outln!(
            "chaos: {} scenarios, {} cases, {} faults injected, {} refused to start, {} traps or hangs, {} losses",
            files.len(),
            total.cases,
            total.injected,
            total.refused,
            total.traps,
            total.losses
        );
        Ok(counts.exit_code())
    }
}

fn print_unplayed(file: &Path, verdict: &Verdict) {
    let file = file.display();
    match verdict {
        Verdict::Passed => {}
        Verdict::Failed(reason) => outln!("FAILED  {file}: {}", reason.text),
        Verdict::NotPlayed(reason) => outln!("ERROR   {file}: {}", reason.text),
    }
}

fn next<'a>(waiting: &Mutex<impl Iterator<Item = &'a PathBuf>>) -> Option<&'a PathBuf> {
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .next()
}

/// Plays every case of a scenario.
///
/// # Errors
/// The verdict without a fault, if the scenario cannot be played or the filter fails in it.
fn play_all(file: &Path, module: &Module) -> Result<Tally, Verdict> {
    let scenario = Scenario::read(file).map_err(Verdict::not_played)?;
    let unplayable = |error: ChaosError| match error {
        ChaosError::Start(error) => Verdict::of_start(&scenario, &error),
        ChaosError::Undisturbed(_) => Verdict::failed(error),
        _ => Verdict::not_played(error),
    };
    let chaos = chaos::Chaos::new(&scenario, module).map_err(unplayable)?;
    let mut tally = Tally::default();
    for case in chaos.cases() {
        let outcome = chaos.play(&case).map_err(unplayable)?;
        tally.cases += 1;
        tally.injected += outcome.injected;
        tally.refused += u64::from(outcome.refused);
        let is_trap = |violation: &Violation| matches!(violation, Violation::Failed(_));
        tally.traps += u64::from(outcome.violations.iter().any(is_trap));
        if let Some(violation) = outcome.violations.first() {
            tally.losses += 1;
            tally.shown.push(format!("{case}: {violation}"));
        }
    }
    Ok(tally)
}

impl Tally {
    fn verdict(&self) -> Verdict {
        match self.losses {
            0 => Verdict::Passed,
            losses => Verdict::failed(format!("{losses} losses")),
        }
    }

    fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.injected += other.injected;
        self.refused += other.refused;
        self.traps += other.traps;
        self.losses += other.losses;
    }

    fn print(&self, file: &Path) {
        let verdict = if self.losses == 0 { "ok    " } else { "FAILED" };
        outln!(
            "{verdict}  {}: {} cases, {} losses",
            file.display(),
            self.cases,
            self.losses
        );
        for line in self.shown.iter().take(SHOWN) {
            outln!("        {}", line.replace('\n', "\n        "));
        }
    }
}
