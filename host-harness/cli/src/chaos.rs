use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use host_harness::chaos::{self, ChaosError, Violation};
use host_harness::scenario::{Scenario, ScenarioError};
use host_harness::{LoadError, Module, artifact};

use crate::filter::Filter;
use crate::output::outln;
use crate::run::{self, files};

/// The number of violations of a scenario that are printed.
const SHOWN: usize = 5;

/// Let host calls fail, systematically.
///
/// Plays each scenario once undisturbed and counts the filter's host calls. Then again with each of them answered with each
/// status, lying about what it hands over, or failing together with all that follow, and with each function failing always.
/// What must hold: the filter does not trap or hang, both applications get the bytes of the undisturbed run or the connection
/// is closed, and no context is left. Exits with 0 if it does, 1 if not, and 2 when a scenario cannot be played.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness chaos --wasm filter.wasm scenarios/
  harness chaos --wasm filter.wasm scenario.yaml")]
pub(crate) struct Chaos {
    /// Scenarios: files, or folders whose `.yaml` files are taken.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Files(#[from] run::Error),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("{path}: {source}")]
    Scenario { path: String, source: ScenarioError },
    #[error("{path}: {source}")]
    Chaos { path: String, source: ChaosError },
}

/// The outcome of the cases.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    injected: u64,
    /// Filters that did not start.
    refused: u64,
    /// Cases in which a filter trapped or burned all fuel.
    traps: u64,
    /// Cases in which an invariant did not hold.
    losses: u64,
    shown: Vec<String>,
}

impl Chaos {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let files = files(&self.scenarios)?;
        let module = Module::from_file(self.filter.file()?)?;
        let players = thread::available_parallelism().map_or(1, usize::from);
        let waiting = Mutex::new(files.iter());
        let total = Mutex::new(Ok(Tally::default()));
        thread::scope(|scope| {
            for _ in 0..players {
                scope.spawn(|| {
                    while let Some(file) = next(&waiting) {
                        let tally = disturb(file, &module);
                        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                        if let (Ok(total), Ok(tally)) = (&mut *total, &tally) {
                            tally.print(file);
                            total.add(tally);
                        }
                        if let (Ok(_), Err(error)) = (&*total, tally) {
                            *total = Err(error);
                        }
                    }
                });
            }
        });
        let total = total.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        outln!(
            "chaos: {} scenarios, {} cases, {} faults injected, {} refused to start, {} traps or hangs, {} losses",
            files.len(),
            total.cases,
            total.injected,
            total.refused,
            total.traps,
            total.losses
        );
        Ok(match total.losses {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

fn next<'a>(waiting: &Mutex<impl Iterator<Item = &'a PathBuf>>) -> Option<&'a PathBuf> {
    waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .next()
}

/// Plays every case of a scenario.
fn disturb(file: &Path, module: &Module) -> Result<Tally, Error> {
    let path = || file.display().to_string();
    let unreadable = |source| Error::Scenario {
        path: path(),
        source,
    };
    let unplayable = |source| Error::Chaos {
        path: path(),
        source,
    };
    let scenario = Scenario::read(file).map_err(unreadable)?;
    let chaos = chaos::Chaos::new(&scenario, module).map_err(unplayable)?;
    let mut tally = Tally::default();
    for case in chaos.cases() {
        let outcome = chaos.play(&case).map_err(unplayable)?;
        tally.cases += 1;
        tally.injected += outcome.injected;
        tally.refused += u64::from(outcome.refused);
        let is_trap = |violation: &Violation| matches!(violation, Violation::Trap(_));
        tally.traps += u64::from(outcome.violations.iter().any(is_trap));
        if let Some(violation) = outcome.violations.first() {
            tally.losses += 1;
            tally.shown.push(format!("{case}: {violation}"));
        }
    }
    Ok(tally)
}

impl Tally {
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
            outln!("        {line}");
        }
    }
}
