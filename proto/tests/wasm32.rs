//! Runs the codec's tests on wasm32 with Node.js.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)] // A panic fails the test.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TARGET: &str = "wasm32-unknown-unknown";
const RUNNER: &str = "wasm-bindgen-test-runner";

#[test]
fn the_same_tests_pass_on_wasm32() {
    if version_of("node").is_none() {
        unmet::skip(
            "node was not found. Install Node.js (Debian: `apt install nodejs`) to run the tests on wasm32",
        );
        return;
    }

    let Some(runner) = runner() else {
        return;
    };
    // A separate target folder: the outer cargo holds the lock of its own.
    let output = cargo()
        .args([
            "test",
            "--package=peer-exchange",
            "--target",
            TARGET,
            "--lib",
            "--tests",
        ])
        .arg("--target-dir")
        .arg(target_dir().join("wasm32-tests"))
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the tests fail on wasm32:\n{stdout}"
    );

    let passed: usize = stdout.lines().filter_map(passed).sum();
    assert!(passed > 0, "no test ran on wasm32:\n{stdout}");
    print(&format!("{passed} tests passed on wasm32"));
}

/// The `n` of `test result: ok. n passed; …`.
fn passed(line: &str) -> Option<usize> {
    let (count, _) = line
        .strip_prefix("test result: ok. ")?
        .split_once(" passed")?;
    count.parse().ok()
}

/// The runner of the version in the lock file: on the PATH, or else in the target folder.
///
/// Compiling the runner takes minutes, so this happens only if no test may be skipped. Otherwise
/// the test is skipped.
fn runner() -> Option<PathBuf> {
    let version = wasm_bindgen_version();
    let expected = format!("{RUNNER} {version}");
    let matches = |runner: &Path| version_of(runner).is_some_and(|v| v == expected);

    let tools = target_dir().join("tools");
    let own = tools.join("bin").join(RUNNER);
    let found = [PathBuf::from(RUNNER), own.clone()];
    if let Some(runner) = found.into_iter().find(|runner| matches(runner)) {
        return Some(runner);
    }
    if !unmet::requires_all() {
        unmet::skip(format!(
            "{expected} was not found. Run `cargo install wasm-bindgen-cli --version ={version}` for the tests on wasm32"
        ));
        return None;
    }
    // The optimisation would take longer than the runner runs.
    let status = cargo()
        .args(["install", "wasm-bindgen-cli", "--force", "--debug"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .args(["--bin", RUNNER])
        .args(["--version", &format!("={version}")])
        .arg("--root")
        .arg(&tools)
        .status()
        .unwrap();
    assert!(status.success(), "cannot install {expected}: see above");
    assert!(matches(&own), "{} is not {expected}", own.display());
    Some(own)
}

/// The version of wasm-bindgen in the lock file.
fn wasm_bindgen_version() -> String {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let (_, package) = lock
        .split_once("name = \"wasm-bindgen\"\nversion = \"")
        .unwrap();
    package.split_once('"').unwrap().0.to_owned()
}

/// The output of `program --version`; `None` if there is no such program.
fn version_of(program: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Prints a line even if the test passes. libtest captures the output of the macros.
fn print(line: &str) {
    let line = format!("{line}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

fn cargo() -> Command {
    Command::new(env!("CARGO"))
}

/// The workspace's target folder: cargo's folder for the tests' scratch files is in it.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .to_owned()
}
