//! The report of the demo.

use std::collections::BTreeMap;

use mesh::report::{Check, Reported, sum, table};
use serde::Serialize;

use crate::error::Result;
use crate::istiod::Istiod;

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether every check passed.
    pub(super) ok: bool,
    /// The version of Envoy.
    pub(super) envoy: String,
    /// The servers by service.
    pub(super) databases: BTreeMap<String, String>,
    pub(super) reporters: Vec<Reported>,
    pub(super) checks: Vec<Check>,
    /// The time of the whole run.
    pub(super) seconds: f64,
}

impl Report {
    pub(super) fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(super) fn render(&self) -> String {
        let metrics = table::metrics(&self.reporters);
        let lines: Vec<_> = self.checks.iter().map(Check::line).collect();
        format!(
            "\nTCP metrics by reporter and peer\n\n{metrics}\nChecked\n\n{}\n\n{}",
            lines.join("\n"),
            sum(&self.checks)
        )
    }
}

/// All proxies acknowledged everything that istiod sent.
pub(super) fn acknowledged(istiod: &Istiod, proxies: usize) -> Result<Check> {
    let what = "istiod: everything sent is acknowledged, nothing was refused";
    Ok(match istiod.settled(proxies) {
        Ok(proxies) => {
            let (number, subscriptions) = (proxies.number(), proxies.acknowledged());
            Check::new(
                what,
                number > 0,
                format!("{number} proxies, {subscriptions} subscriptions"),
            )
        }
        Err(error) => Check::new(what, false, error.to_string()),
    })
}
