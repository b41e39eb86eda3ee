//! What there is to try.

use crate::error::{Error, Result};

/// A command that tries to break something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// What it is called, and its record.
    pub name: String,
    /// What it is about.
    pub part: Part,
    /// What a case is, and a fault.
    pub what: &'static str,
    /// How to repeat it.
    pub command: String,
    /// Whether stock Envoys take part.
    pub envoy: bool,
}

/// What campaigns are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "see `title`")]
pub enum Part {
    Conservation,
    Fuzzing,
    Peers,
    Host,
    Soak,
    Databases,
}

impl Part {
    /// What it is called in the table.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Conservation => "Byte conservation",
            Self::Fuzzing => "Fuzzing",
            Self::Peers => "Hostile peers",
            Self::Host => "Failures of the host",
            Self::Soak => "Soak",
            Self::Databases => "Databases",
        }
    }
}

/// A fuzz target, and what its inputs are.
const TARGETS: [(&str, &str); 7] = [
    ("frame", "a stream, cut anywhere, to the frame decoder"),
    ("metadata", "a peer's metadata, and the labels made of it"),
    ("configuration", "a plugin configuration"),
    (
        "properties",
        "what the host says of node, peer and connection",
    ),
    ("connection", "two proxies and what happens on a connection"),
    ("scenario", "a scenario file of the harness"),
    ("bootstrap", "a bootstrap for the harness to serve"),
];

impl Campaign {
    /// All of them, as the table has them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let ours = |name: &str, part, what, command: &str, envoy| Self {
            name: name.to_owned(),
            part,
            what,
            command: command.to_owned(),
            envoy,
        };
        let test = |name, part, what, tests: &str| {
            let command = format!("cargo test -p testbed --test {tests} --nocapture");
            ours(name, part, what, &command, true)
        };
        let fuzz = TARGETS.map(|(target, what)| {
            let command = format!(
                "cargo +nightly fuzz run --fuzz-dir tests/fuzz/targets -s none {target} -- \
                 -max_total_time=1860 -print_final_stats=1"
            );
            let name = format!("fuzz-{target}");
            ours(&name, Part::Fuzzing, what, &command, false)
        });
        let mut all = vec![ours(
            "conservation",
            Part::Conservation,
            "random configurations and traffic through two proxies; a fault is a reset, or bytes of an application that begin \
             like a frame",
            "cargo --config profile.dev.opt-level=2 run -p conservation -- --cases 1000000 --seed 2",
            false,
        )];
        all.extend(fuzz);
        all.extend([
            test(
                "hostile",
                Part::Peers,
                "a connection of a peer that means harm; each is a fault",
                "hostile -- --test-threads=2",
            ),
            ours(
                "chaos",
                Part::Host,
                "a scenario with host calls refused or answered untruly; each such call is a fault",
                "cargo harness chaos tests/scenarios/cases",
                false,
            ),
            test(
                "failure",
                Part::Host,
                "a connection; a fault is a VM that dies",
                "envoy failure --",
            ),
            test(
                "reload",
                Part::Host,
                "a connection; a fault is an update or a drain under it",
                "envoy reload --",
            ),
            test(
                "hot-restart",
                Part::Host,
                "a connection; a fault is a hot restart of Envoy",
                "envoy hot_restart --",
            ),
            ours(
                "contexts",
                Part::Host,
                "a connection, or an update of the configuration: nothing is left of it in the guest",
                "cargo test -p testbed --test harness contexts -- --nocapture",
                false,
            ),
            ours(
                "soak",
                Part::Soak,
                "a connection of random size",
                "cargo soak --concurrent 9500 --connections 250000",
                true,
            ),
            test(
                "databases",
                Part::Databases,
                "a connection of a database's own clients and benchmarks, with and without the filter at either end",
                "envoy databases --",
            ),
        ]);
        all
    }

    /// The one of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(name: &str) -> Result<Self> {
        let mut all = Self::all().into_iter();
        all.find(|campaign| campaign.name == name)
            .ok_or_else(|| Error::NoSuchCampaign {
                name: name.to_owned(),
            })
    }
}
