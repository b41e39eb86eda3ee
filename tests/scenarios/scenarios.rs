//! Every scenario in `cases/`, on every host.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use envoy_process::EnvoyBinary;
use envoy_stage::Envoys;
use host_harness::scenario::{Emulated, Scenario, run};
use host_harness::{Module, artifact, native, native_filter};
use tcp_peer_stats as _;

/// How many scenarios are played at once; in real Envoys most of their time is waiting.
const PLAYERS: usize = 8;

/// At least as many as the filter's contract has rules.
const FEWEST: usize = 60;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    assert!(files.len() >= FEWEST, "{} scenarios", files.len());
    files
}

/// Plays all scenarios, a few at a time, and names those that failed.
fn play_all(host: &str, play: impl Fn(&Scenario) -> Result<(), String> + Sync) {
    let cases = cases();
    let waiting = Mutex::new(cases.iter());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                while let Some(path) = { waiting.lock().unwrap().next() } {
                    let scenario = Scenario::read(path).map_err(|error| error.to_string());
                    if let Err(error) = scenario.and_then(|scenario| play(&scenario)) {
                        let name = path.file_stem().unwrap().to_string_lossy();
                        failed.lock().unwrap().push(format!("{name}: {error}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{} scenarios on {host}", cases.len());
    assert!(
        failed.is_empty(),
        "{} failed on {host}:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

fn emulate(scenario: &Scenario, module: &Module) -> Result<(), String> {
    let played = match Emulated::start(scenario, module) {
        Ok(mut stage) => run(scenario, &mut stage),
        Err(error) => scenario.judge_start(&error.to_string()),
    };
    played.map_err(|error| error.to_string())
}

/// The schema is derived from the types that read scenarios; an editor must not mark a valid file.
#[test]
fn every_scenario_is_valid_by_the_schema() {
    let schema = jsonschema::draft202012::new(&Scenario::schema()).unwrap();
    for path in cases() {
        let text = fs::read_to_string(&path).unwrap();
        let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let errors: Vec<_> = schema
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

#[test]
fn in_the_harness_as_wasm() {
    let module =
        Module::from_file_cached(artifact::build("tcp-peer-stats", "wasm").unwrap()).unwrap();
    play_all("wasm", |scenario| {
        let orders = scenario.in_each_order();
        orders.iter().try_for_each(|order| emulate(order, &module))
    });
}

#[test]
fn in_the_harness_natively() {
    // One thread is one VM, so each scenario gets a thread of its own.
    play_all("native", |scenario| {
        scenario.in_each_order().into_iter().try_for_each(|order| {
            native::run(move || emulate(&order, &native_filter!()))
                .map_err(|error| error.to_string())?
        })
    });
}

// Shows: CONTRIBUTING.md, "in the emulator with the filter linked in, and in real Envoy"
#[test]
fn in_real_envoy() {
    let binary = EnvoyBinary::find(None).unwrap();
    let wasm = mesh::wasm::build().unwrap();
    play_all("envoy", |scenario| {
        let played = match Envoys::start_shared(scenario, &binary, &wasm) {
            Ok(mut stage) => run(scenario, &mut stage),
            Err(error) => scenario.judge_start(&error.to_string()),
        };
        played.map_err(|error| error.to_string())
    });
}
