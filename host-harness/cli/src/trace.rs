mod lines;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use host_harness::scenario::{Scenario, ScenarioError, Timeline};
use host_harness::{LoadError, Module, artifact};

use crate::filter::Filter;
use crate::output::outln;
use crate::verdict::{Counts, Verdict};

/// Print the callbacks and host calls of a scenario, from the end of the start on.
///
/// Prints the fuel of each callback, about one per instruction. The host calls of a callback are
/// printed before it. Of two sidecars, all lines are in the order in which they happen. Of the
/// orders of a step `at_once`, only the first is played: `harness run` plays all.
///
/// Exits with 0 if the scenario passes, 1 if it fails, as in `harness run`, and 2 if it cannot be
/// played.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness trace --wasm filter.wasm scenario.yaml
  harness trace --wasm filter.wasm --html timeline.html scenario.yaml
  harness trace --wasm filter.wasm --json scenario.yaml | jq 'select(.fuel > 10000)'")]
pub(crate) struct Trace {
    /// The scenario, a YAML file.
    scenario: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
    /// Write a timeline to this file in place of the lines: a page that shows applications, bytes,
    /// callbacks, host calls and times.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
}

/// The reason why a scenario cannot be traced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
}

impl Trace {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let scenario = Scenario::read(&self.scenario)?;
        let module = Module::from_file_cached(self.filter.file()?)?;
        let verdict = match Timeline::record(&scenario, &module) {
            Ok(timeline) => {
                self.show(&timeline)?;
                Verdict::of(timeline.failure.map_or(Ok(()), Err))
            }
            Err(error) => Verdict::of_start(&scenario, &error),
        };
        if let Some(reason) = verdict.reason() {
            eprintln!("{}", reason.text);
        }
        Ok(Counts::of([&verdict]).exit_code())
    }

    fn show(&self, timeline: &Timeline) -> Result<(), Error> {
        if let Some(path) = &self.html {
            return fs::write(path, timeline.to_html()).map_err(|source| Error::Write {
                path: path.display().to_string(),
                source,
            });
        }
        for entry in &timeline.entries {
            if let Some(line) = lines::line(entry, self.json) {
                outln!("{line}");
            }
        }
        Ok(())
    }
}
