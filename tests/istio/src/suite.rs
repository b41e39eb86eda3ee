//! `cargo istio suite`: named checks under a real control plane.
//!
//! The checks share one control plane and its pods, and run in the order of the list. Each begins
//! with one server that has the filter, and ends when all proxies have acknowledged what istiod
//! sent.

mod application;
mod bench;
mod checks;
mod clusters;
mod control;
mod dump;
mod envoy_gateway;
mod exchange;
mod expect;
mod faults;
mod gateway;
mod held;
mod killed;
mod listeners;
mod lost;
mod manifests;
mod measure;
mod names;
mod other_clients;
mod other_image;
mod path;
mod plugin;
mod pods;
mod reported;
mod rollout;
mod scraping;
mod services;
mod signature;
mod stream;
mod table;
mod telemetry;
mod upgrade;
mod visit;
mod walk_through;

use std::io::{self, Write};

use clap::Args;
use serde::{Deserialize, Serialize};

use self::bench::Bench;
use self::checks::{CHECKS, Check};
use crate::error::{Error, Result};
use crate::run::Run;

/// The number of events of the check `faults`, and its seed.
const EVENTS: u32 = 22;
const SEED: u64 = 891;

/// The options of the suite.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Options {
    /// The names of the checks; all if none is named
    pub names: Vec<String>,

    /// The number of events of the check `faults`
    #[arg(long, default_value_t = EVENTS)]
    pub events: u32,

    /// The seed of the check `faults`; the default has two losses of a filter that a client knows
    #[arg(long, default_value_t = SEED)]
    pub seed: u64,

    /// Write the table in filter/docs/compatibility.md
    #[arg(long, conflicts_with = "names")]
    pub write: bool,

    /// List the checks
    #[arg(long)]
    pub list: bool,
}

/// Whether one of the chosen checks needs the image.
#[must_use]
pub fn needs_image(options: &Options) -> bool {
    let names = &options.names;
    let needs = |name: &String| {
        let groups = ["plugin-", "cosign", "faults", "walk-through"];
        groups.iter().any(|group| name.starts_with(group))
    };
    names.is_empty() || names.iter().any(needs)
}

/// Prints the names of all checks.
pub fn list() {
    for Check { name, about, .. } in CHECKS {
        let _gone = writeln!(io::stdout(), "{name:<26} {about}");
    }
}

/// Checks that all names are those of checks.
///
/// # Errors
/// One is not; the message lists all.
pub fn known(options: &Options) -> Result<()> {
    Error::unknown(
        "check",
        &options.names,
        CHECKS.iter().map(|check| check.name),
    )
}

/// Runs the checks, each with a line of its own. Returns whether all passed. A check is skipped if
/// a program for it is missing; with `REQUIRE_ALL` it fails instead.
///
/// # Errors
/// The control plane does not start.
pub fn run(run: &Run, options: &Options) -> Result<bool> {
    let mut bench = Bench::start(run, (options.events, options.seed))?;
    let is_wanted = |check: &&Check| {
        options.names.is_empty() || options.names.iter().any(|name| name == check.name)
    };
    let mut passed: Vec<&Check> = Vec::new();
    let mut failed: Vec<&Check> = Vec::new();
    let mut skipped: Vec<&Check> = Vec::new();
    for check in CHECKS.iter().filter(is_wanted) {
        let name = check.name;
        let line = match one(&mut bench, check) {
            Ok(counts) => {
                passed.push(check);
                format!("ok {name}: {counts}")
            }
            Err(error) if error.is_unmet() && !unmet::requires_all() => {
                skipped.push(check);
                format!("skipped {name}: {error}")
            }
            Err(error) => {
                failed.push(check);
                format!("FAILED {name}: {error}")
            }
        };
        let _gone = writeln!(io::stdout(), "{line}");
        run.stages.done(name);
    }
    let sum = summary(passed.len(), &failed, &skipped);
    let _gone = writeln!(io::stdout(), "{sum}");
    // A table without the skipped checks would say that all of them passed.
    let is_whole = skipped.is_empty();
    match options.write {
        true if is_whole => table::write(&passed, &failed)?,
        true => eprintln!(
            "the table is not written: {} checks were skipped",
            skipped.len()
        ),
        false => {}
    }
    Ok(failed.is_empty() && (is_whole || !options.write))
}

fn one(bench: &mut Bench<'_>, check: &Check) -> Result<String> {
    bench.reset()?;
    let counts = (check.run)(bench)?;
    let subscriptions = bench.settled()?.acknowledged();
    Ok(format!(
        "{counts}; {subscriptions} subscriptions acknowledged"
    ))
}

fn summary(passed: usize, failed: &[&Check], skipped: &[&Check]) -> String {
    let mut parts = vec![format!("{passed} passed")];
    for (what, checks) in [("FAILED", failed), ("skipped", skipped)] {
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        if !names.is_empty() {
            parts.push(format!("{} {what} ({})", names.len(), names.join(", ")));
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_names_of_checks_are_unique() {
        let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
    }

    #[test]
    fn the_summary_names_what_did_not_pass() {
        assert_eq!(summary(3, &[], &[]), "3 passed");
        let [first, second, third, ..] = CHECKS else {
            panic!("there are too few checks");
        };
        let expected =
            "1 passed, 2 FAILED (exchange, exchange-strict), 1 skipped (exchange-disable)";
        assert_eq!(summary(1, &[first, second], &[third]), expected);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let options = |name: &str| Options {
            names: vec![name.to_owned()],
            events: 0,
            seed: 0,
            write: false,
            list: false,
        };
        assert!(known(&options("exchange")).is_ok());
        let refused = known(&options("exchanges")).unwrap_err().to_string();
        assert!(
            refused.starts_with("there is no check exchanges. Use one of: exchange, "),
            "{refused}"
        );
    }
}
