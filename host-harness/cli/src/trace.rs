use std::path::PathBuf;
use std::process::ExitCode;

use host_harness::scenario::{Emulated, Failure, Scenario, ScenarioError, run};
use host_harness::{Event, LoadError, Module, StartError, artifact};
use serde_json::json;

use crate::filter::Filter;
use crate::output::outln;

/// Print every callback and host call of a scenario.
///
/// Prints the fuel of each callback, about one per instruction. The host calls of a callback are
/// printed before it. Exits with 0 if the scenario's expectations are met, 1 if one is not and 2 if
/// the scenario cannot be played.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness trace --wasm filter.wasm scenario.yaml
  harness trace --wasm filter.wasm --json scenario.yaml | jq 'select(.fuel > 10000)'")]
pub(crate) struct Trace {
    /// The scenario, a YAML file.
    scenario: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,
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
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Play(Failure),
}

impl Trace {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let scenario = Scenario::read(&self.scenario)?;
        let module = Module::from_file_cached(self.filter.file()?)?;
        let mut stage = Emulated::start(&scenario, &module)?;
        for (_, sidecar) in stage.sidecars() {
            sidecar.record_trace();
        }
        let played = run(&scenario, &mut stage);
        for (side, sidecar) in stage.sidecars() {
            let side = format!("{side:?}").to_lowercase();
            for event in sidecar.take_trace() {
                match self.json {
                    true => outln!("{}", to_json(&side, &event)),
                    false => outln!("{}", to_text(&side, &event)),
                }
            }
        }
        match played {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(failure @ Failure::Unexpected { .. }) => {
                eprintln!("{failure}");
                Ok(ExitCode::FAILURE)
            }
            Err(failure) => Err(Error::Play(failure)),
        }
    }
}

fn to_json(side: &str, event: &Event) -> serde_json::Value {
    match event {
        Event::Callback {
            name,
            arguments,
            result,
            fuel,
            ..
        } => json!({
            "sidecar": side, "callback": name, "arguments": arguments, "result": result, "fuel": fuel,
        }),
        Event::Hostcall {
            name,
            detail,
            status,
        } => json!({
            "sidecar": side, "hostcall": name, "detail": detail, "status": format!("{status:?}"),
        }),
    }
}

fn to_text(side: &str, event: &Event) -> String {
    match event {
        Event::Callback {
            name,
            arguments,
            result,
            fuel,
            ..
        } => {
            let arguments: Vec<_> = arguments.iter().map(u32::to_string).collect();
            let result = result
                .map(|result| format!(" = {result}"))
                .unwrap_or_default();
            format!(
                "{side} {name}({}){result}, {fuel} fuel",
                arguments.join(", ")
            )
        }
        Event::Hostcall {
            name,
            detail,
            status,
        } => {
            format!("{side}   {name}({detail}) = {status:?}")
        }
    }
}
