//! `cargo istio suite`: named checks under a real control plane.
//!
//! The checks share one control plane and its pods, and run in the order of the list. Each begins
//! with one server that has the filter, and ends when all proxies have acknowledged what istiod
//! sent.

mod application;
mod bench;
mod control;
mod exchange;
mod expect;
mod faults;
mod listeners;
mod lost;
mod manifests;
mod measure;
mod other_clients;
mod plugin;
mod pods;
mod telemetry;

use std::io::{self, Write};

use clap::Args;
use serde::{Deserialize, Serialize};

use self::bench::Bench;
use crate::error::{Error, Result};
use crate::progress::say;
use crate::run::Run;

/// A named check. It returns the counts that it found.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&mut Bench<'_>) -> Result<String>,
}

/// All checks.
const CHECKS: [Check; 30] = [
    Check {
        name: "exchange",
        about: "overlays/exchange as installed: every connection counted on both sides, labels complete",
        run: exchange::installed,
    },
    Check {
        name: "exchange-strict",
        about: "the same under a PeerAuthentication STRICT",
        run: exchange::strict,
    },
    Check {
        name: "exchange-disable",
        about: "the same under DISABLE: counted without names, no frame",
        run: exchange::disable,
    },
    Check {
        name: "exchange-permissive-again",
        about: "the same after STRICT and DISABLE",
        run: exchange::permissive_again,
    },
    Check {
        name: "exchange-switched",
        about: "PERMISSIVE, STRICT, DISABLE and back under traffic: no frame at an application",
        run: exchange::switched,
    },
    Check {
        name: "plaintext-client",
        about: "a client outside of the mesh: counted by the server, no frame",
        run: exchange::plaintext,
    },
    Check {
        name: "server-first",
        about: "a server that sends first: complete on both sides from the second connection",
        run: exchange::server_first,
    },
    Check {
        name: "rule-plaintext",
        about: "a DestinationRule without TLS: counted without names, no frame",
        run: exchange::rule_plaintext,
    },
    Check {
        name: "rule-mutual",
        about: "a DestinationRule with mutual TLS: complete as without a rule",
        run: exchange::rule_mutual,
    },
    Check {
        name: "one-of-two-pods",
        about: "a second pod without the filter behind the same Service: untouched",
        run: pods::one_of_two,
    },
    Check {
        name: "pod-replaced",
        about: "the pod replaced by one without the filter, at another address: untouched",
        run: pods::replaced,
    },
    Check {
        name: "address-reused",
        about: "the pod replaced by one without the filter, at the same address: at most one frame, counted",
        run: pods::address_reused,
    },
    Check {
        name: "filter-lost",
        about: "the server's EnvoyFilter deleted first: at most one frame, counted",
        run: lost::one_after_another,
    },
    Check {
        name: "filter-lost-at-once",
        about: "the same with 20 connections at once",
        run: lost::at_once,
    },
    Check {
        name: "uninstall",
        about: "overlays/uninstall, then delete, under traffic: no frame, nothing counted afterwards",
        run: lost::uninstall,
    },
    Check {
        name: "patches-dropped",
        about: "somebody else's EnvoyFilter makes istiod drop all patches: at most one frame, counted",
        run: control::patches_dropped,
    },
    Check {
        name: "istiod-restarted",
        about: "istiod killed and started again: connections go on, everything counted",
        run: control::istiod_restarted,
    },
    Check {
        name: "rolled-out",
        about: "pods with and without the filter replace each other under traffic: none fails, no frame",
        run: control::rolled_out,
    },
    Check {
        name: "client-without-filter",
        about: "a sidecar without the filter beside one with it: counted by its certificate, no frame",
        run: other_clients::without_filter,
    },
    Check {
        name: "denied",
        about: "an AuthorizationPolicy DENY: no byte at the application, no frame",
        run: other_clients::denied,
    },
    Check {
        name: "scraped",
        about: "the agent's merged metrics at the injected annotations: as Envoy's own",
        run: other_clients::scraped,
    },
    Check {
        name: "manifests",
        about: "all overlays and Bookinfo's files pass the API server and istiod's webhook",
        run: manifests::validated,
    },
    Check {
        name: "faults",
        about: "random faults and changes under traffic, by a seed: at most one frame per loss of a filter, counted",
        run: faults::random,
    },
    Check {
        name: "plugin-tag",
        about: "overlays/telemetry-only: the agents pull the image by its tag, every connection counted",
        run: plugin::by_tag,
    },
    Check {
        name: "plugin-digest",
        about: "the same with the digest in sha256",
        run: plugin::by_digest,
    },
    Check {
        name: "plugin-wrong-digest",
        about: "another digest: connections pass uncounted",
        run: plugin::wrong_digest,
    },
    Check {
        name: "plugin-missing-image",
        about: "no such tag: connections pass uncounted",
        run: plugin::missing_image,
    },
    Check {
        name: "plugin-target-port",
        about: "a match on the pods' port instead of the Service's: nothing is counted",
        run: plugin::target_port,
    },
    Check {
        name: "plugin-traffic-extension",
        about: "a TrafficExtension instead of the WasmPlugin: every connection counted, once",
        run: plugin::traffic_extension,
    },
    Check {
        name: "plugin-registry-down",
        about: "the registry stopped: connections pass uncounted",
        run: plugin::registry_down,
    },
];

/// The options of the suite.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Options {
    /// The names of the checks; all if none is named
    pub names: Vec<String>,

    /// The number of events of the check `faults`
    #[arg(long, default_value_t = 20)]
    pub events: u32,

    /// The seed of the check `faults`
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// List the checks
    #[arg(long)]
    pub list: bool,
}

/// Whether one of the chosen checks needs the image.
#[must_use]
pub fn needs_image(options: &Options) -> bool {
    let names = &options.names;
    names.is_empty() || names.iter().any(|name| name.starts_with("plugin-"))
}

/// Prints the names of all checks.
pub fn list() {
    for check in &CHECKS {
        let _gone = writeln!(io::stdout(), "{:<26} {}", check.name, check.about);
    }
}

/// Checks that all names are those of checks.
///
/// # Errors
/// One is not; the message lists all.
pub fn known(options: &Options) -> Result<()> {
    let names = CHECKS.map(|check| check.name);
    match options
        .names
        .iter()
        .find(|name| !names.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(wrong) => {
            let reason = format!("there is no such check: {}", names.join(", "));
            Err(Error::object(wrong, reason))
        }
    }
}

/// Runs the checks, each with a line of its own. Returns whether all passed.
///
/// # Errors
/// The control plane does not start.
pub fn run(run: &Run, options: &Options) -> Result<bool> {
    let mut bench = Bench::start(run, (options.events, options.seed))?;
    let mut failed = 0;
    for check in &CHECKS {
        let Check { name, .. } = check;
        if !options.names.is_empty() && !options.names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let result = bench.reset().and_then(|()| (check.run)(&mut bench));
        let result = result.and_then(|counts| {
            let proxies = bench.settled()?;
            let kinds = proxies.acknowledged();
            Ok(format!("{counts}; {kinds} kinds of resources acknowledged"))
        });
        let line = match result {
            Ok(counts) => format!("ok {name}: {counts}"),
            Err(error) if error.is_unmet() => format!("skipped {name}: {error}"),
            Err(error) => {
                failed += 1;
                format!("FAILED {name}: {error}")
            }
        };
        let _gone = writeln!(io::stdout(), "{line}");
        run.stages.done(name);
    }
    if failed > 0 {
        say(&format!("{failed} checks failed"));
    }
    Ok(failed == 0)
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
    fn an_unknown_name_is_refused() {
        let options = |name: &str| Options {
            names: vec![name.to_owned()],
            events: 0,
            seed: 0,
            list: false,
        };
        assert!(known(&options("exchange")).is_ok());
        let refused = known(&options("exchanges")).unwrap_err().to_string();
        assert!(
            refused.starts_with("exchanges: there is no such check: exchange, "),
            "{refused}"
        );
    }
}
