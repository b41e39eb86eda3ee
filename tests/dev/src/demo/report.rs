//! What the demo found out, and its JSON form.

use std::collections::BTreeMap;

use serde::Serialize;

use mesh::Counts;
use mesh::Scratch;
use mesh::exposition::Series;
use mesh::labels::Reporter;
use mesh::topology::Graph;

/// Everything that is printed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether every check passed.
    pub(super) ok: bool,
    pub(super) setup: Setup,
    #[serde(flatten)]
    pub(super) findings: Findings,
    pub(super) checks: Vec<Check>,
    /// `/stats/prometheus` of every Envoy.
    pub(super) prometheus_text: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Kept>,
}

/// What the metrics tell.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Findings {
    /// By reporter and service.
    Databases {
        reporters: Vec<Reported>,
        console: Console,
    },
    /// As one graph.
    Bookinfo { graph: Graph },
}

/// What ran.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setup {
    pub(super) envoy: String,
    pub(super) envoy_origin: String,
    pub(super) filter: String,
    pub(super) filter_bytes: u64,
    /// What stands behind the services, by name.
    #[serde(flatten)]
    pub(super) applications: BTreeMap<&'static str, String>,
    pub(super) reporting_duration_ms: u128,
}

/// What one sidecar reports of one service.
#[derive(Debug, Serialize)]
pub(super) struct Reported {
    pub(super) reporter: Reporter,
    pub(super) sidecar: String,
    pub(super) service: String,
    /// The four metrics' series with all labels.
    pub(super) metrics: Vec<Series>,
    /// What passed between the application and this sidecar, counted outside Envoy.
    pub(super) expected: Counts,
    /// What the metrics say.
    pub(super) seen: Counts,
}

/// The listing of opened and closed connections.
#[derive(Debug, Serialize)]
pub(super) struct Console {
    /// Where it comes from.
    pub(super) source: String,
    pub(super) series: Vec<Series>,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    pub(super) what: String,
    pub(super) ok: bool,
    /// What was found.
    pub(super) detail: String,
}

/// What `--keep` leaves running.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    /// Name and address of each thing.
    pub(super) addresses: BTreeMap<String, String>,
    /// The files of the run.
    pub(super) files: String,
    /// The command that ends it.
    pub(super) cleanup: String,
}

impl Report {
    /// Whether every check passed; from now on the report says so too.
    pub(super) fn conclude(&mut self) -> bool {
        self.ok = self.checks.iter().all(|check| check.ok);
        self.ok
    }

    pub(super) fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys: there is nothing in it that JSON cannot say.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Kept {
    /// These addresses, of this process.
    pub(super) fn new(addresses: BTreeMap<String, String>, scratch: &Scratch) -> Self {
        Self {
            addresses,
            files: scratch.path().display().to_string(),
            cleanup: format!("kill {}", std::process::id()),
        }
    }

    /// And this one.
    pub(super) fn with(mut self, name: &str, address: String) -> Self {
        self.addresses.insert(name.to_owned(), address);
        self
    }
}

impl Check {
    pub(super) fn new(what: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ok,
            detail: detail.into(),
        }
    }
}
