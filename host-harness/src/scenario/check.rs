//! The check of expectations on a stage.

use super::expectation::{Arrival, Expectation, Metric, Report};
use super::model::{Scenario, Step};
use super::roles::{End, Side};
use super::stage::{Stage, StageError};
use crate::bytes::{Bytes, show};
use crate::failure::FilterFailure;
use crate::stats::Series;

impl Expectation {
    /// Returns a description of the first condition that is not met.
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
        if let Some(wrong) = self.check_failure(stage)? {
            return Ok(Some(wrong));
        }
        self.check_alternatives(stage)
    }

    fn check_alternatives(&self, stage: &mut dyn Stage) -> Result<Option<String>, StageError> {
        let mut all_wrong = Vec::new();
        for alternative in &self.one_of {
            match alternative.check(stage)? {
                None => return Ok(None),
                Some(wrong) => all_wrong.push(wrong),
            }
        }
        let wrong = all_wrong.join("; and ");
        Ok((!wrong.is_empty()).then(|| format!("none of the alternatives holds: {wrong}")))
    }

    fn check_failure(&self, stage: &mut dyn Stage) -> Result<Option<String>, StageError> {
        let Some(expected) = &self.failure else {
            return Ok(None);
        };
        let failures = stage.failures()?;
        let mut failures = failures
            .iter()
            .map(|(side, failure)| describe(*side, failure));
        let is_there = failures.any(|failure| failure.contains(expected));
        Ok((!is_there).then(|| format!("no filter has failed with {expected:?}")))
    }
}

impl Expectation {
    /// Whether the failure of a filter is expected, perhaps as one of several effects.
    fn names(&self, failure: &str) -> bool {
        let own = self.failure.as_ref();
        own.is_some_and(|expected| failure.contains(expected))
            || self.one_of.iter().any(|other| other.names(failure))
    }
}

impl Scenario {
    /// Whether an expectation names this failure of a sidecar's filter.
    pub(super) fn expects(&self, failure: &str) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Expect(expectation) => expectation.names(failure),
            _ => false,
        })
    }
}

/// The text that `failure` in an expectation is compared with.
pub(super) fn describe(side: Side, failure: &FilterFailure) -> String {
    format!("the {side} sidecar: {failure}")
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
        let matching: Vec<_> = named
            .iter()
            .filter(|series| {
                let mut labels = self.labels.iter();
                labels.all(|(name, value)| series.label(name) == Some(value))
            })
            .collect();
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
