//! Expectations: what arrived, what is reported, what is logged.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Bytes;
use super::bytes::show;
use super::stage::{End, Side, Stage, StageError};
use crate::stats::Series;

/// What is so at a point of a scenario. What is not named is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Which connection `client` and `server` are of.
    #[serde(default)]
    pub connection: String,
    /// What the client application sees.
    #[serde(default)]
    pub client: Option<Arrival>,
    /// What the server application sees.
    #[serde(default)]
    pub server: Option<Arrival>,
    /// What the client's sidecar reports.
    #[serde(default)]
    pub outbound: Option<Report>,
    /// What the server's sidecar reports.
    #[serde(default)]
    pub inbound: Option<Report>,
}

/// What an application sees of a connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// Everything it has received so far.
    #[serde(default)]
    pub received: Option<Bytes>,
    /// How many bytes that is.
    #[serde(default)]
    pub bytes: Option<usize>,
    /// Whether the other end has ended its direction, or the whole connection.
    #[serde(default)]
    pub ended: Option<bool>,
}

/// What a sidecar reports.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Metrics and their values.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Texts that stand in a line of the log.
    #[serde(default)]
    pub log: Vec<String>,
}

/// A metric, summed over all series that carry at least these labels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The name in Prometheus.
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The sum.
    pub value: u64,
    /// How many series it is the sum of.
    #[serde(default)]
    pub series: Option<usize>,
}

impl Expectation {
    /// The first thing that is not so, in words.
    pub(super) fn check(&self, stage: &mut dyn Stage) -> Result<Option<String>, StageError> {
        for (end, arrival) in [(End::Client, &self.client), (End::Server, &self.server)] {
            if let Some(arrival) = arrival
                && let Some(wrong) = arrival.check(stage, &self.connection, end)?
            {
                return Ok(Some(format!("the {end} {wrong}")));
            }
        }
        for (side, report) in [
            (Side::Outbound, &self.outbound),
            (Side::Inbound, &self.inbound),
        ] {
            if let Some(report) = report
                && let Some(wrong) = report.check(stage, side)?
            {
                return Ok(Some(format!("the {side} sidecar {wrong}")));
            }
        }
        Ok(None)
    }
}

impl Arrival {
    fn check(
        &self,
        stage: &mut dyn Stage,
        connection: &str,
        end: End,
    ) -> Result<Option<String>, StageError> {
        let received = stage.received(connection, end)?;
        if let Some(expected) = self.received.as_ref().map(Bytes::to_vec)
            && received != expected
        {
            return Ok(Some(format!(
                "received {}, expected {}",
                show(&received),
                show(&expected)
            )));
        }
        if let Some(expected) = self.bytes.filter(|bytes| *bytes != received.len()) {
            return Ok(Some(format!(
                "received {} bytes, expected {expected}",
                received.len()
            )));
        }
        let ended = stage.ended(connection, end)?;
        Ok(match self.ended {
            Some(true) if !ended => Some("does not see the end".to_owned()),
            Some(false) if ended => Some("sees the end".to_owned()),
            _ => None,
        })
    }
}

impl Report {
    fn check(&self, stage: &mut dyn Stage, side: Side) -> Result<Option<String>, StageError> {
        let series = stage.series(side)?;
        for metric in &self.metrics {
            if let Some(wrong) = metric.check(&series) {
                return Ok(Some(wrong));
            }
        }
        let log = stage.log(side)?;
        let missing = self
            .log
            .iter()
            .find(|text| !log.iter().any(|line| line.contains(*text)));
        Ok(missing.map(|text| format!("does not log {text:?} but:\n  {}", log.join("\n  "))))
    }
}

impl Metric {
    fn check(&self, series: &[Series]) -> Option<String> {
        let named: Vec<_> = series
            .iter()
            .filter(|series| series.name == self.name)
            .collect();
        let carries = |series: &&&Series| {
            self.labels
                .iter()
                .all(|(name, value)| series.label(name) == Some(value))
        };
        let matching: Vec<_> = named.iter().filter(carries).collect();
        let sum: u64 = matching.iter().map(|series| series.value).sum();
        let too_many = self.series.is_some_and(|count| count != matching.len());
        if sum == self.value && !too_many {
            return None;
        }
        let candidates: String = named.iter().map(|series| format!("\n  {series}")).collect();
        Some(format!(
            "reports {sum} in {} series for {} {:?}, expected {}; of that name it has:{}",
            matching.len(),
            self.name,
            self.labels,
            self.value,
            if candidates.is_empty() {
                " none"
            } else {
                &candidates
            },
        ))
    }
}
