//! The L4 model, rule by rule, seen by a filter that logs everything.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

mod at_once;
mod buffers;
mod chain;
mod diagnosis;
mod expressions;
mod failure;
mod faults;
mod foreign;
mod lazy;
mod life_cycle;
mod listener;
mod names;
mod properties;
mod relay;
mod shared;
mod sockets;
mod toolchain;
mod verdict;
mod wasi;

use host_harness::{Module, Sidecar, SidecarBuilder, artifact};

fn probe_module() -> Module {
    let path = artifact::build("probe-filter", "wasm").unwrap();
    Module::from_file(path).unwrap()
}

/// The probe filter with this script.
fn probe(script: &str) -> SidecarBuilder {
    Sidecar::outbound(&probe_module()).plugin_config(script)
}

/// The log lines of the probe.
fn lines(sidecar: &Sidecar) -> Vec<String> {
    sidecar
        .logs()
        .into_iter()
        .map(|line| line.message)
        .collect()
}

/// The log lines of the probe from the first stream on, without context ids.
fn stream_lines(sidecar: &Sidecar) -> Vec<String> {
    lines(sidecar)
        .iter()
        .filter_map(|line| line.strip_prefix("2 "))
        .map(|line| line.trim().to_owned())
        .collect()
}
