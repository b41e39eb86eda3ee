//! The report of sidecars on services: the metrics, the counts outside of Envoy, and the checks.

pub mod checks;
pub mod table;

use serde::Serialize;

use crate::Counts;
use crate::exposition::Series;
use crate::labels::Reporter;

/// The report of one sidecar on one service.
#[derive(Debug, Serialize)]
pub struct Reported {
    /// The side of the connection.
    pub reporter: Reporter,
    /// The name of the sidecar.
    pub sidecar: String,
    /// The name of the service.
    pub service: String,
    /// The four metrics' series with all labels.
    pub metrics: Vec<Series>,
    /// The counts of the tap between the application and this sidecar.
    pub expected: Counts,
    /// The counts of the metrics.
    pub seen: Counts,
}

/// The last line of a report: how many checks passed.
#[must_use]
pub fn sum(checks: &[Check]) -> String {
    let failed = checks.iter().filter(|check| !check.ok).count();
    let total = checks.len();
    match failed {
        0 => format!("All {total} checks passed."),
        _ => format!("{failed} of {total} checks FAILED."),
    }
}

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The claim.
    pub what: String,
    /// Whether it holds.
    pub ok: bool,
    /// The compared values.
    pub detail: String,
}

impl Check {
    /// Returns a result.
    #[must_use]
    pub fn new(what: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ok,
            detail: detail.into(),
        }
    }

    /// Its line in a report.
    #[must_use]
    pub fn line(&self) -> String {
        let mark = if self.ok { "ok    " } else { "FAILED" };
        format!("  {mark}  {}: {}", self.what, self.detail)
    }
}
