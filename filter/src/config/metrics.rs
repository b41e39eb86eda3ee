//! `metrics[]`: changes to the labels of the metrics.

use super::cel::Cel;
use super::definitions::Definition;
use super::error::ConfigError;
use super::notices::Notices;
use super::value::{Field, Object};
use crate::labels::{HTTP_METRICS, Metric};

/// `metrics[]`: changes to the labels of a metric, in the order of the list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MetricConfig {
    /// The metric's name without the prefix; empty for all of them.
    pub name: String,
    /// Labels and the expressions of their values.
    pub dimensions: Vec<(String, Cel)>,
    /// Labels to remove, before `dimensions` are added.
    pub tags_to_remove: Vec<String>,
    /// `match`: the entry applies only to connections for which this is true.
    pub condition: Option<Cel>,
    /// Whether to leave the metric out.
    pub drop: bool,
}

/// The prefix of Istio's metrics in Prometheus; many configurations have it in `name`.
const PREFIX: &str = "istio_";

/// Reads `metrics`: each entry with its place. Entries for metrics of HTTP are left out.
pub(super) fn metrics(
    field: &Field<'_>,
    definitions: &[Definition],
    notices: &mut Notices,
) -> Result<Vec<(String, MetricConfig)>, ConfigError> {
    let mut metrics = Vec::new();
    let mut of_http = Vec::new();
    for item in field.list("a list of metrics")? {
        let metric = MetricConfig::parse(&item.object()?, definitions)?;
        if is_of_http(&metric.name) {
            of_http.push(format!("{} ({})", item.path(), metric.name));
        } else {
            metrics.push((item.path().to_owned(), metric));
        }
    }
    if !of_http.is_empty() {
        notices.ignored(&of_http.join(", "), "metrics of HTTP are not recorded");
    }
    Ok(metrics)
}

/// Whether Istio records this metric for HTTP requests, or it is a series of such a histogram.
fn is_of_http(name: &str) -> bool {
    let series = ["_bucket", "_count", "_sum"];
    let histogram = series.iter().find_map(|series| name.strip_suffix(series));
    HTTP_METRICS.contains(&name) || histogram.is_some_and(|name| HTTP_METRICS.contains(&name))
}

impl MetricConfig {
    const KEYS: &'static [&'static str] =
        &["name", "dimensions", "tags_to_remove", "match", "drop"];

    fn parse(object: &Object<'_>, definitions: &[Definition]) -> Result<Self, ConfigError> {
        let mut metric = Self::default();
        for field in object.fields()? {
            match field.name() {
                "name" => metric.name = metric_name(&field, definitions)?,
                "dimensions" => metric.dimensions = dimensions(&field)?,
                "tags_to_remove" => metric.tags_to_remove = field.strings()?,
                "match" => metric.condition = Some(Cel::parse(&field)?),
                "drop" => metric.drop = field.boolean()?,
                _ => return Err(field.unknown(Self::KEYS)),
            }
        }
        Ok(metric)
    }
}

/// The name of an existing metric without the prefix; empty for all of them.
fn metric_name(field: &Field<'_>, definitions: &[Definition]) -> Result<String, ConfigError> {
    let name = field.string()?;
    if name.is_empty() {
        return Ok(String::new());
    }
    let mut known = Metric::ALL.map(Metric::name).to_vec();
    known.extend(definitions.iter().map(|own| own.name.as_str()));
    known.extend(HTTP_METRICS);
    let bare = name.strip_prefix(PREFIX).unwrap_or(name);
    for name in [name, bare] {
        if is_of_http(name) || known.contains(&name) {
            return Ok(name.to_owned());
        }
    }
    Err(field.unknown_value(name, known.into_iter()))
}

/// Sorted by label, which is the order in which new labels are added (Istio's rule).
fn dimensions(field: &Field<'_>) -> Result<Vec<(String, Cel)>, ConfigError> {
    let mut dimensions = Vec::new();
    for entry in field.object()?.entries() {
        dimensions.push((entry.identifier(entry.name())?, Cel::parse(&entry)?));
    }
    Ok(dimensions)
}
