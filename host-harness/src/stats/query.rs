//! Reading metrics back by Prometheus name and labels.

use super::histogram::Histogram;
use super::{StatsTag, tags};
use std::fmt;

/// One time series as `/stats/prometheus` would show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The Prometheus name.
    pub name: String,
    /// Label names and values, in the order Envoy prints them.
    pub labels: Vec<(String, String)>,
    /// The value; the sum of a histogram's samples is cut to a whole number.
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

    /// What a histogram is shown as: `_bucket` series with the label `le`, `_sum` and `_count`.
    pub(super) fn of_histogram(stat: &str, tags: &[StatsTag], histogram: &Histogram) -> Vec<Self> {
        let whole = Self::new(stat, tags, histogram.count());
        let named = |suffix: &str, value| Self {
            name: format!("{}{suffix}", whole.name),
            value,
            ..whole.clone()
        };
        let bucket = |(bound, count): (&str, u64)| {
            let mut series = named("_bucket", count);
            series.labels.push(("le".to_owned(), bound.to_owned()));
            series
        };
        let mut all: Vec<_> = histogram.buckets().map(bucket).collect();
        all.push(named("_sum", histogram.sum() as u64));
        all.push(named("_count", whole.value));
        all
    }

    /// The value of a label.
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

/// `wasmcustom.` is a registered custom namespace: it is cut off and no `envoy_` put in its place.
fn prometheus_name(name: &str) -> String {
    match name.strip_prefix("wasmcustom.") {
        Some(custom) => sanitize(custom),
        None => format!("envoy_{}", sanitize(name)),
    }
}

fn sanitize(name: &str) -> String {
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    name.chars()
        .map(|character| if allowed(character) { character } else { '_' })
        .collect()
}

/// A search for series by name and by some of their labels.
#[derive(Debug, Clone)]
pub struct MetricQuery {
    name: String,
    labels: Vec<(String, String)>,
    all: Vec<Series>,
}

/// There is not exactly one such series.
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

    /// Only series that have these labels, whatever others they have.
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

    /// All series that match.
    pub fn series(&self) -> Vec<Series> {
        self.all
            .iter()
            .filter(|series| self.matches(series))
            .cloned()
            .collect()
    }

    /// The sum over all series that match; 0 if none does.
    pub fn sum(&self) -> u64 {
        self.series().iter().map(|series| series.value).sum()
    }

    /// The value of the one series that matches.
    ///
    /// # Errors
    /// None or several match: the error lists the candidates.
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

    /// The value of the one series that matches.
    ///
    /// # Panics
    /// None or several match: the message lists the candidates. This is the form for tests.
    #[track_caller]
    #[allow(clippy::panic, reason = "a failed expectation of a test")]
    pub fn value(&self) -> u64 {
        self.try_value().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The nearest there is: the matches, else the series of this name, else all.
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
    fn no_match_names_what_there_is() {
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
