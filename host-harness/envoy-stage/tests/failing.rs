//! Filters that fail in a callback: the emulator and real Envoy give the same verdict.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

mod filters;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use envoy_process::{EnvoyBinary, Scratch};
use envoy_stage::{Envoys, StartError};
use filters::{CALLBACKS, Callback, End, STARTING, module};
use host_harness::scenario::{Emulated, Failure, Scenario, run};
use host_harness::{FailureKind, FilterFailure, Module};

/// How many filters are played at once: all, because most of their time is that of Envoy's watchdog.
const PLAYERS: usize = CALLBACKS.len();

/// A connection over which both applications write, and an end that all callbacks see.
const SCENARIO: &str = "
name: a connection
inbound: {}
steps:
  - connect: {}
  - client: { write: hello }
  - server: { write: world }
  - advance: 300ms
  - client: { end: true }
  - server: { end: true }
";

/// What a host says.
#[derive(Debug)]
#[expect(dead_code, reason = "messages show it")]
enum Said {
    Passed,
    /// A filter failed.
    Failed(FilterFailure),
    /// A filter did not start, with the text that says why.
    NotStarted(String),
    Other(String),
}

fn scenario() -> Scenario {
    Scenario::parse(SCENARIO).unwrap()
}

fn said(played: Result<(), Failure>) -> Said {
    match played {
        Ok(()) => Said::Passed,
        Err(Failure::Filter { failure, .. }) => Said::Failed(*failure),
        Err(other) => Said::Other(other.to_string()),
    }
}

fn emulated(file: &Path) -> Said {
    let module = Module::from_file(file).unwrap();
    match Emulated::start(&scenario(), &module) {
        Ok(mut stage) => said(run(&scenario(), &mut stage)),
        Err(error) if error.is_of_filter() => Said::NotStarted(error.to_string()),
        Err(error) => Said::Other(error.to_string()),
    }
}

fn in_envoy(file: &Path, binary: &EnvoyBinary) -> Said {
    match Envoys::start(&scenario(), binary, file) {
        Ok(mut stage) => said(run(&scenario(), &mut stage)),
        Err(StartError::Filter(text)) => Said::NotStarted(text),
        Err(error) => Said::Other(error.to_string()),
    }
}

/// Plays a filter for each callback, on both hosts, and returns what is wrong.
fn wrong(end: End, check: impl Fn(&Callback, &Said, bool) -> Option<String> + Sync) -> Vec<String> {
    let binary = EnvoyBinary::find(None).unwrap();
    let scratch = Scratch::new("failing").unwrap();
    let (waiting, wrong) = (Mutex::new(CALLBACKS.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                while let Some(callback) = { waiting.lock().unwrap().next() } {
                    let file = write(&scratch, callback, end);
                    let played = [(emulated(&file), false), (in_envoy(&file, &binary), true)];
                    for (said, is_envoy) in &played {
                        if let Some(what) = check(callback, said, *is_envoy) {
                            let host = if *is_envoy { "Envoy" } else { "emulator" };
                            let what = format!("{} in {host}: {what}", callback.name);
                            wrong.lock().unwrap().push(what);
                        }
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

/// Writes the filter that ends in this way in this callback.
fn write(scratch: &Scratch, callback: &Callback, end: End) -> PathBuf {
    let file = scratch
        .path()
        .join(format!("{}-{end:?}.wat", callback.name));
    fs::write(&file, module(callback, end)).unwrap();
    file
}

fn has_log(failure: &FilterFailure) -> bool {
    failure.log.iter().any(|line| line.contains(filters::LINE))
}

#[test]
fn a_trap_in_any_callback_is_a_failure_with_backtrace_and_log() {
    let wrong = wrong(End::Trap, |callback, said, _| match said {
        Said::Failed(failure)
            if failure.kind == FailureKind::Trap
                && failure.callback == callback.name
                && failure
                    .backtrace
                    .iter()
                    .any(|frame| frame.ends_with("deep"))
                && has_log(failure) =>
        {
            None
        }
        // A callback of the root context before the connection: the filter does not start.
        Said::NotStarted(text)
            if STARTING.contains(&callback.name)
                && text.contains(&format!("{} trapped", callback.name))
                && text.contains("- deep")
                && text.contains(filters::LINE) =>
        {
            None
        }
        other => Some(format!("{other:?}")),
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_callback_that_does_not_return_is_a_failure() {
    let wrong = wrong(End::Hang, |callback, said, is_envoy| match said {
        // Envoy does not tell the callback.
        Said::Failed(failure)
            if failure.kind == FailureKind::Hang
                && (is_envoy || failure.callback == callback.name && has_log(failure)) =>
        {
            None
        }
        Said::NotStarted(text)
            // The main thread has a VM too, and its ticks may come before Envoy is ready.
            if (STARTING.contains(&callback.name) || is_envoy && callback.name == "proxy_on_tick")
                && text.contains("hangs")
                && (is_envoy || text.contains(callback.name)) =>
        {
            None
        }
        other => Some(format!("{other:?}")),
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_filter_that_grows_beyond_the_limit_of_memory_is_refused_more_in_both_hosts() {
    let binary = EnvoyBinary::find(None).unwrap();
    let scratch = Scratch::new("failing").unwrap();
    let data = CALLBACKS
        .iter()
        .find(|callback| callback.name.ends_with("downstream_data"));
    let file = write(&scratch, data.unwrap(), End::Leak);
    for said in [emulated(&file), in_envoy(&file, &binary)] {
        let Said::Failed(failure) = said else {
            panic!("{said:?}");
        };
        assert_eq!(failure.kind, FailureKind::Trap);
        assert_eq!(failure.callback, "proxy_on_downstream_data");
    }
}

#[test]
fn a_log_line_of_a_megabyte_is_no_failure_and_is_shown_in_part() {
    let binary = EnvoyBinary::find(None).unwrap();
    let scratch = Scratch::new("failing").unwrap();
    let data = CALLBACKS
        .iter()
        .find(|callback| callback.name.ends_with("downstream_data"));
    let file = write(&scratch, data.unwrap(), End::LongLog);
    for said in [emulated(&file), in_envoy(&file, &binary)] {
        assert!(matches!(said, Said::Passed), "{said:?}");
    }
    let file = write(&scratch, data.unwrap(), End::LongLogAndTrap);
    for said in [emulated(&file), in_envoy(&file, &binary)] {
        let Said::Failed(failure) = said else {
            panic!("{said:?}");
        };
        let text = failure.to_string();
        assert!(text.len() < 2_000 && text.contains("(10"), "{text}");
    }
}

/// Envoy closes the client's connection before it connects to the server.
#[test]
fn a_failure_that_is_expected_passes_in_both_hosts() {
    let yaml = "
name: the filter traps when the connection opens
inbound: {}
steps:
  - connect: {}
  - client: { write: hello }
  - server: { write: world }
  - expect: { client: { ended: true, bytes: 0 }, failure: 'the inbound sidecar: proxy_on_new_connection trapped' }
";
    let scenario = Scenario::parse(yaml).unwrap();
    let binary = EnvoyBinary::find(None).unwrap();
    let scratch = Scratch::new("failing").unwrap();
    let new = CALLBACKS
        .iter()
        .find(|callback| callback.name.ends_with("new_connection"));
    let file = write(&scratch, new.unwrap(), End::Trap);
    let module = Module::from_file(&file).unwrap();
    run(&scenario, &mut Emulated::start(&scenario, &module).unwrap()).unwrap();
    run(
        &scenario,
        &mut Envoys::start(&scenario, &binary, &file).unwrap(),
    )
    .unwrap();

    let harmless = write(&scratch, new.unwrap(), End::LongLog);
    let module = Module::from_file(&harmless).unwrap();
    let played = run(&scenario, &mut Emulated::start(&scenario, &module).unwrap());
    assert!(played.unwrap_err().is_verdict());
}
