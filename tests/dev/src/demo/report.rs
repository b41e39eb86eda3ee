//! The report of the demo and its JSON form.

use std::collections::BTreeMap;

use serde::Serialize;

use mesh::Scratch;
use mesh::exposition::Series;
use mesh::report::{Check, Reported};
use mesh::topology::Graph;

/// The whole report.
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

/// The findings from the metrics.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Findings {
    /// Metrics by reporter and service.
    Databases {
        reporters: Vec<Reported>,
        console: Console,
    },
    /// Metrics as one graph.
    Bookinfo { graph: Graph },
}

/// The parts of the demo.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setup {
    pub(super) envoy: String,
    pub(super) envoy_origin: String,
    pub(super) filter: String,
    pub(super) filter_bytes: u64,
    /// The applications of the services, by name.
    #[serde(flatten)]
    pub(super) applications: BTreeMap<&'static str, String>,
    pub(super) reporting_duration_ms: u128,
}

/// The listing of opened and closed connections.
#[derive(Debug, Serialize)]
pub(super) struct Console {
    /// The source of the listing.
    pub(super) source: String,
    pub(super) series: Vec<Series>,
}

/// The parts that `--keep` leaves running.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    /// The address of each part, by name.
    pub(super) addresses: BTreeMap<String, String>,
    /// The files of the run.
    pub(super) files: String,
    /// The command that ends all parts.
    pub(super) cleanup: String,
}

impl Report {
    /// Sets and returns whether every check passed.
    pub(super) fn conclude(&mut self) -> bool {
        self.ok = self.checks.iter().all(|check| check.ok);
        self.ok
    }

    pub(super) fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Kept {
    /// Returns these addresses with the files and the end command of this process.
    pub(super) fn new(addresses: BTreeMap<String, String>, scratch: &Scratch) -> Self {
        Self {
            addresses,
            files: scratch.path().display().to_string(),
            cleanup: format!("kill {}", std::process::id()),
        }
    }

    /// Adds an address.
    pub(super) fn with(mut self, name: &str, address: String) -> Self {
        self.addresses.insert(name.to_owned(), address);
        self
    }
}
