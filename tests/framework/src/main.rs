//! Callbacks per second in the host harness and in proxy-wasm-test-framework, with the same filters
//! and the same calls, in one run:
//!
//! ```sh
//! cargo run --release --manifest-path tests/framework/Cargo.toml
//! cargo run --release --manifest-path tests/framework/Cargo.toml FILTER.wasm SCENARIO.yaml
//! ```
//!
//! With a filter and a scenario, it also measures the start of a process that plays the scenario:
//! with compiling the filter, and with the compiled module of an earlier process.
//!
//! The framework prints every call to standard output, and is measured with output to `/dev/null`.
//! Both are measured in turn, and the best round of each counts: other load on the machine only
//! makes a round slower.

use std::env;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use host_harness::scenario::{Emulated, Scenario, run};
use host_harness::{Module, Sidecar};
use proxy_wasm_test_framework::tester::{MockSettings, Tester, mock};
use proxy_wasm_test_framework::types::{Action, ReturnType};

const ROUNDS: usize = 5;

const CALLBACKS: u32 = 20_000;

/// The first argument of the process whose start is measured.
const PLAY: &str = "--play";

/// The bytes of a callback.
const BYTES: [u8; 64] = [b'x'; 64];

/// A filter whose data callback returns Continue, after these instructions.
fn filter(instructions: &str) -> String {
    format!(
        r#"(module
            (import "env" "proxy_get_buffer_status" (func $size (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "malloc") (param i32) (result i32) i32.const 1024)
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
            (func (export "proxy_abi_version_0_2_0"))
            (func (export "_start"))
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
                {instructions} i32.const 0))"#
    )
}

/// Callbacks per second in the harness: each is a write of the client, which the server reads.
fn harness(module: &Module) -> Result<f64, Box<dyn Error>> {
    let sidecar = Sidecar::inbound(module).start()?;
    let connection = sidecar.connect();
    let started = Instant::now();
    for _ in 0..CALLBACKS {
        connection.client.write(BYTES);
        connection.server.read();
    }
    let rate = f64::from(CALLBACKS) / started.elapsed().as_secs_f64();
    match sidecar.failure() {
        None => Ok(rate),
        Some(failure) => Err(failure.into()),
    }
}

/// Callbacks per second in the framework.
fn framework(tester: &mut Tester) -> Result<f64, Box<dyn Error>> {
    let started = Instant::now();
    for _ in 0..CALLBACKS {
        tester
            .call_proxy_on_downstream_data(2, BYTES.len() as i32, false)
            .execute_and_expect(ReturnType::Action(Action::Continue))?;
    }
    Ok(f64::from(CALLBACKS) / started.elapsed().as_secs_f64())
}

/// What a process does that plays one scenario.
fn play(filter: &str, scenario: &str) -> Result<(), Box<dyn Error>> {
    let module = Module::from_file_cached(filter)?;
    let scenario = Scenario::read(Path::new(scenario))?;
    run(&scenario, &mut Emulated::start(&scenario, &module)?)?;
    Ok(())
}

/// Seconds that a process takes to play a scenario, with this folder for compiled modules.
fn start(filter: &str, scenario: &str, cache: &Path) -> Result<f64, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args([PLAY, filter, scenario])
        .env("XDG_CACHE_HOME", cache);
    let started = Instant::now();
    match command.status()?.success() {
        true => Ok(started.elapsed().as_secs_f64()),
        false => Err("the scenario failed".into()),
    }
}

/// Measures the start with and without a compiled module.
fn compare_starts(filter: &str, scenario: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (mut compiling, mut cached) = (f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        let cache = folder.join(format!("cache-{round}"));
        compiling = compiling.min(start(filter, scenario, &cache)?);
        cached = cached.min(start(filter, scenario, &cache)?);
    }
    eprintln!(
        "start, compiling: {compiling:.3} s, compiled: {cached:.3} s, ratio {:.1}",
        compiling / cached
    );
    Ok(())
}

fn compare_callbacks(folder: &Path) -> Result<(), Box<dyn Error>> {
    let call = "(drop (call $size (i32.const 2) (i32.const 64) (i32.const 68)))";
    for (name, calls) in [
        ("no host call", 0),
        ("1 host call", 1),
        ("10 host calls", 10),
    ] {
        let bytes = wat::parse_str(filter(&call.repeat(calls)))?;
        let file = folder.join(format!("{calls}.wasm"));
        fs::write(&file, &bytes)?;
        let module = Module::from_bytes(&bytes)?;
        let mut tester = mock(MockSettings {
            wasm_path: file.display().to_string(),
            quiet: true,
            allow_unexpected: true,
        })?;
        tester.call_start().execute_and_expect(ReturnType::None)?;
        let (mut ours, mut theirs) = (0_f64, 0_f64);
        for _ in 0..ROUNDS {
            ours = ours.max(harness(&module)?);
            theirs = theirs.max(framework(&mut tester)?);
        }
        eprintln!(
            "{name}: harness {ours:.0}/s, proxy-wasm-test-framework {theirs:.0}/s, ratio {:.2}",
            ours / theirs
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let [PLAY, filter, scenario] = arguments.as_slice() {
        return play(filter, scenario);
    }
    rustix::stdio::dup2_stdout(OpenOptions::new().write(true).open("/dev/null")?)?;
    let folder = env::temp_dir().join(format!("framework-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    if let [filter, scenario] = arguments.as_slice() {
        compare_starts(filter, scenario, &folder)?;
    }
    compare_callbacks(&folder)?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}
