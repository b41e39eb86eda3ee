//! The HTTP API of a Prometheus.

use serde_json::Value;

use crate::envoy::http_query;
use crate::error::{Error, Result};
use crate::exposition::{Labels, Series};

/// A Prometheus at some address.
#[derive(Clone, Debug)]
pub struct Api {
    url: String,
}

/// The values of a series over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// The labels; without `__name__` if the expression computes.
    pub labels: Labels,
    /// The times of the samples, in seconds since 1970, oldest first.
    pub times: Vec<f64>,
}

impl Api {
    /// Returns the API of the Prometheus at this URL, which can have a path.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// The URL for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the newest values of a PromQL expression. Computed series have an empty name.
    ///
    /// # Errors
    /// Prometheus does not answer, rejects the expression, or returns malformed data.
    pub fn query(&self, expression: &str) -> Result<Vec<Series>> {
        self.results("query", &[("query", expression)], series)
    }

    /// Returns the times at which a PromQL expression has values, from `start` to `end` in seconds
    /// since 1970, every `step` seconds.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn range(
        &self,
        expression: &str,
        [start, end]: [f64; 2],
        step: u32,
    ) -> Result<Vec<Samples>> {
        let [start, end] = [start, end].map(|time| time.to_string());
        let parameters = [
            ("query", expression),
            ("start", &start),
            ("end", &end),
            ("step", &step.to_string()),
        ];
        self.results("query_range", &parameters, samples)
    }

    /// Returns the values of a label in the series of a selector.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn label_values(&self, selector: &str, label: &str) -> Result<Vec<String>> {
        let data = self.get(&format!("label/{label}/values"), &[("match[]", selector)])?;
        serde_json::from_value(data).map_err(|error| Error::malformed("Prometheus' answer", error))
    }

    /// Returns the rules whose health is not `ok`, as Prometheus describes them.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn unhealthy_rules(&self) -> Result<Vec<String>> {
        let data = self.get("rules", &[])?;
        let array = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned();
        let groups = array(&data, "groups").unwrap_or_default();
        let rules = groups.iter().filter_map(|group| array(group, "rules"));
        let unhealthy = rules
            .flatten()
            .filter(|rule| rule.get("health").and_then(Value::as_str) != Some("ok"));
        Ok(unhealthy.map(|rule| rule.to_string()).collect())
    }

    fn results<T>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>> {
        let data = self.get(path, parameters)?;
        let result = data.get("result").and_then(Value::as_array);
        let result = result.ok_or_else(|| Error::malformed("Prometheus' answer", &data))?;
        let all = result
            .iter()
            .map(|one| read(one).ok_or_else(|| Error::malformed("Prometheus' answer", one)));
        all.collect()
    }

    /// Returns the field `data` of an answer.
    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let text = http_query(&format!("{}/api/v1/{path}", self.url), parameters)?;
        let mut answer: Value = serde_json::from_str(&text)
            .map_err(|error| Error::malformed("Prometheus' answer", error))?;
        let data = answer.get_mut("data").map(Value::take);
        data.ok_or_else(|| Error::malformed("Prometheus' answer", text))
    }
}

fn series(sample: &Value) -> Option<Series> {
    let mut labels = labels(sample)?;
    let name = labels.remove("__name__").unwrap_or_default();
    let value = sample.pointer("/value/1")?.as_str()?.parse().ok()?;
    Some(Series {
        name,
        labels,
        value,
    })
}

fn samples(series: &Value) -> Option<Samples> {
    let values = series.get("values")?.as_array()?.iter();
    let times = values.map(|value| value.get(0)?.as_f64());
    Some(Samples {
        labels: labels(series)?,
        times: times.collect::<Option<_>>()?,
    })
}

fn labels(result: &Value) -> Option<Labels> {
    let members = result.get("metric")?.as_object()?.iter();
    members
        .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
