//! Queries for metrics by Prometheus name and labels.

use std::fmt;

use super::histogram::Histogram;
use super::tags::{self, StatsTag};

/// One time series of `/stats/prometheus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The Prometheus name.
    pub name: String,
    /// Label names and values, in Envoy's order.
    pub labels: Vec<(String, String)>,
    /// The value. The sum of a histogram's samples is truncated to an integer.
    pub value: u64,
}

impl Series {
    pub(super) fn new(stat: &str, tags: &[StatsTag], value: u64) -> Self {
        let (name, labels) = tags::extract(stat, tags);
        let labels = labels
            .into_iter()
            .map(|(name, value)| (sanitize(&name), value))
            .collect();
        Self {
            name: prometheus_name(&name),
            labels,
            value,
        }
    }

    /// The series of a histogram: `_bucket` with the label `le`, `_sum` and `_count`.
    pub(super) fn of_histogram(stat: &str, tags: &[StatsTag], histogram: &Histogram) -> Vec<Self> {
        let whole = Self::new(stat, tags, histogram.count());
        let named = |suffix: &str, value| Self {
            name: format!("{}{suffix}", whole.name),
            value,
            ..whole.clone()
        };
        let mut all = Vec::new();
        for (bound, count) in histogram.buckets() {
            let mut series = named("_bucket", count);
            series.labels.push(("le".to_owned(), bound.to_owned()));
            all.push(series);
        }
        all.push(named("_sum", histogram.sum() as u64));
        all.push(named("_count", whole.value));
        all
    }

    /// Returns the value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        write!(f, "{}{{{}}} {}", self.name, labels.join(","), self.value)
    }
}

/// `wasmcustom.` is a registered custom namespace: Envoy removes it and does not add `envoy_`.
fn prometheus_name(name: &str) -> String {
    match name.strip_prefix("wasmcustom.") {
        Some(custom) => sanitize(custom),
        None => format!("envoy_{}", sanitize(name)),
    }
}

fn sanitize(name: &str) -> String {
    name.replace(|character: char| !character.is_ascii_alphanumeric(), "_")
}

/// A query for series by name and labels.
#[derive(Debug, Clone)]
pub struct MetricQuery {
    name: String,
    labels: Vec<(String, String)>,
    all: Vec<Series>,
}

/// The query does not match exactly one series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found} series match {query}, want exactly 1; {}", list(candidates))]
pub struct MetricError {
    query: String,
    found: usize,
    candidates: Vec<Series>,
}

fn list(candidates: &[Series]) -> String {
    if candidates.is_empty() {
        return "there are no series at all".into();
    }
    let lines: Vec<_> = candidates
        .iter()
        .map(|series| format!("\n  {series}"))
        .collect();
    format!("candidates:{}", lines.concat())
}

impl MetricQuery {
    pub(crate) fn new(name: &str, all: Vec<Series>) -> Self {
        Self {
            name: name.to_owned(),
            labels: Vec::new(),
            all,
        }
    }

    /// Selects series with at least these labels.
    #[must_use]
    pub fn labels<N: Into<String>, V: Into<String>>(
        mut self,
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.labels.extend(
            labels
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self
    }

    /// Returns all series that match.
    pub fn series(&self) -> Vec<Series> {
        self.all
            .iter()
            .filter(|series| self.matches(series))
            .cloned()
            .collect()
    }

    /// Returns the sum of all series that match; 0 if there is none.
    pub fn sum(&self) -> u64 {
        self.series().iter().map(|series| series.value).sum()
    }

    /// Returns the value of the only series that matches.
    ///
    /// # Errors
    /// No series or several match. The error lists the candidates.
    pub fn try_value(&self) -> Result<u64, MetricError> {
        let found = self.series();
        if let [series] = found.as_slice() {
            return Ok(series.value);
        }
        Err(MetricError {
            query: self.to_string(),
            found: found.len(),
            candidates: self.candidates(found),
        })
    }

    /// Returns the value of the only series that matches.
    ///
    /// # Panics
    /// No series or several match. The message lists the candidates.
    #[track_caller]
    #[allow(clippy::panic, reason = "a failed expectation of a test")]
    pub fn value(&self) -> u64 {
        self.try_value().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The matches; without any, the series of this name; without any, all series.
    fn candidates(&self, found: Vec<Series>) -> Vec<Series> {
        if !found.is_empty() {
            return found;
        }
        let named: Vec<_> = self
            .all
            .iter()
            .filter(|series| series.name == self.name)
            .cloned()
            .collect();
        if named.is_empty() {
            self.all.clone()
        } else {
            named
        }
    }

    fn matches(&self, series: &Series) -> bool {
        series.name == self.name
            && self
                .labels
                .iter()
                .all(|(name, value)| series.label(name) == Some(value))
    }
}

impl fmt::Display for MetricQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        write!(f, "{}{{{}}}", self.name, labels.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> MetricQuery {
        let tags = StatsTag::labels(["reporter"]);
        let stat = |reporter, value| {
            Series::new(
                &format!("wasmcustom.reporter=.={reporter};.;n"),
                &tags,
                value,
            )
        };
        MetricQuery::new("n", vec![stat("source", 1), stat("destination", 2)])
    }

    #[test]
    fn one_match_is_the_value() {
        assert_eq!(query().labels([("reporter", "destination")]).value(), 2);
        assert_eq!(query().sum(), 3);
    }

    #[test]
    fn no_match_lists_the_series() {
        let error = query()
            .labels([("reporter", "x")])
            .try_value()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(r#"0 series match n{reporter="x"}"#),
            "{error}"
        );
        assert!(error.contains(r#"n{reporter="source"} 1"#), "{error}");
    }
}
