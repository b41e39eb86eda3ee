//! One run of the end-to-end tests.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use mesh::EnvoyBinary;
use mesh::error::{Context, Error, Result};
use mesh::process::{NO_WASM, die_with_parent, last_lines};
use mesh::situation::{self, Situation};
use mesh::workspace;

/// The tests that can run in every situation. The others set their own.
const ANYWHERE: [&str; 3] = ["databases::", "reporting::", "traffic::"];

/// One release in one situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Envoy's release.
    pub version: String,
    /// The situation of the mesh.
    pub situation: Situation,
    /// The result of the tests.
    pub verdict: Verdict,
}

/// The result of the tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All tests failed because this build of Envoy has no Wasm.
    NoWasm,
    /// The tests ran.
    Ran {
        /// The names of the tests that passed.
        passed: Vec<String>,
        /// The names of the tests that failed.
        failed: Vec<String>,
    },
}

impl Cell {
    /// Runs the tests.
    ///
    /// # Errors
    /// The tests cannot be started, or end early.
    pub(super) fn run(version: &str, binary: &EnvoyBinary, situation: Situation) -> Result<Self> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(["test", "--test", "envoy", "--"])
            .env("ENVOY_BIN", &binary.path)
            .env(situation::VARIABLE, situation.name())
            .current_dir(workspace::root())
            .stdin(Stdio::null());
        if situation != Situation::default() {
            command.args(ANYWHERE);
        }
        die_with_parent(&mut command, Signal::KILL);
        let output = command.output().context(|| "cannot start cargo")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let verdict = Verdict::of(&said).ok_or_else(|| Error::Build {
            command: "cargo test --test envoy".to_owned(),
            output: last_lines(&String::from_utf8_lossy(&output.stderr)),
        })?;
        Ok(Self {
            version: version.to_owned(),
            situation,
            verdict,
        })
    }

    /// Whether no test failed, or this build has no Wasm.
    #[must_use]
    pub fn is_good(&self) -> bool {
        match &self.verdict {
            Verdict::NoWasm => true,
            Verdict::Ran { passed, failed } => failed.is_empty() && !passed.is_empty(),
        }
    }
}

impl Verdict {
    /// The verdict of the tests in these modules.
    #[must_use]
    pub fn of_modules(&self, modules: &[&str]) -> Self {
        let within = |tests: &[String]| {
            let is_within = |test: &&String| modules.iter().any(|module| test.starts_with(module));
            tests.iter().filter(is_within).cloned().collect()
        };
        match self {
            Self::NoWasm => Self::NoWasm,
            Self::Ran { passed, failed } => Self::Ran {
                passed: within(passed),
                failed: within(failed),
            },
        }
    }

    /// Parses the output of the test harness; `None` if it is incomplete.
    fn of(said: &str) -> Option<Self> {
        let outcome = |word| {
            let tests = said.lines().filter_map(|line| line.strip_prefix("test "));
            let named = tests.filter_map(|line| line.strip_suffix(word)?.strip_suffix(" ... "));
            named.map(str::to_owned).collect::<Vec<_>>()
        };
        said.lines()
            .find(|line| line.starts_with("test result: "))?;
        let (passed, failed) = (outcome("ok"), outcome("FAILED"));
        // The tests of the artefact need no Envoy.
        let no_wasm = said.matches(NO_WASM).count();
        Some(match no_wasm > 0 && no_wasm >= passed.len() {
            true => Self::NoWasm,
            false => Self::Ran { passed, failed },
        })
    }
}

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::NoWasm => writeln!(f, "  this build has no Wasm"),
            Verdict::Ran { passed, failed } => {
                writeln!(f, "  {} passed, {} failed", passed.len(), failed.len())?;
                failed
                    .iter()
                    .try_for_each(|name| writeln!(f, "  FAILED {name}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_named() {
        let said =
            "test a::b ... ok\ntest c::d ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed\n";
        assert_eq!(
            Verdict::of(said),
            Some(Verdict::Ran {
                passed: vec!["a::b".to_owned()],
                failed: vec!["c::d".to_owned()],
            })
        );
    }

    #[test]
    fn a_build_without_wasm_is_not_a_failure() {
        let said = format!(
            "test a ... FAILED\nError: {NO_WASM}\ntest result: FAILED. 0 passed; 1 failed\n"
        );
        assert_eq!(Verdict::of(&said), Some(Verdict::NoWasm));
    }

    #[test]
    fn incomplete_output_has_no_verdict() {
        assert_eq!(Verdict::of("test a ... ok\n"), None);
    }
}
