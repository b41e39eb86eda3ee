//! `metrics[]` and `definitions[]`: what users change about labels and add to the metrics.

use super::expression::ExpressionError;
use super::suggestion::nearest;
use super::value::{Field, Object};
use super::{ConfigError, Notices};
use crate::host::MetricKind;
use crate::labels::STANDARD_LABELS;
use crate::labels::metric::{HTTP_METRICS, Metric};
use crate::labels::naming::{self, Naming};
use crate::series::diagnostics;

/// A CEL expression and its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cel {
    /// The key's place, for errors.
    pub path: String,
    /// The expression.
    pub text: String,
}

/// `metrics[]`: changes to the labels of a metric, in the order of the list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MetricConfig {
    /// The metric's name without the prefix; empty for all of them.
    pub name: String,
    /// Labels and what their values are.
    pub dimensions: Vec<(String, Cel)>,
    /// Labels to leave out; they go before `dimensions` come.
    pub tags_to_remove: Vec<String>,
    /// `match`: the entry counts only for connections of which this is true.
    pub condition: Option<Cel>,
    /// Whether to leave the metric out.
    pub drop: bool,
}

/// `definitions[]`: a metric of the user's own, recorded once per connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Definition {
    /// Its name without the prefix.
    pub name: String,
    /// How much to record.
    pub value: Cel,
    /// What it is.
    pub kind: MetricKind,
}

/// What the names of Istio's metrics begin with in Prometheus; many configurations have it.
const PREFIX: &str = "istio_";

/// The label of the filter's own `tcp_peer_exchange_total`, which every bootstrap takes out.
const RESULT: &str = "result";

const KINDS: [(&str, MetricKind); 3] = [
    ("COUNTER", MetricKind::Counter),
    ("GAUGE", MetricKind::Gauge),
    ("HISTOGRAM", MetricKind::Histogram),
];

impl Cel {
    fn parse(field: &Field<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            path: field.path().to_owned(),
            text: field.string()?.to_owned(),
        })
    }

    /// The error for an expression that cannot be evaluated.
    pub(crate) fn refused(&self, reason: ExpressionError) -> ConfigError {
        ConfigError::Expression {
            path: self.path.clone(),
            found: self.text.clone(),
            reason,
        }
    }
}

/// Reads `definitions`. One with the name of a metric that exists has no effect, as in Istio.
pub(super) fn definitions(
    field: &Field<'_>,
    notices: &mut Notices,
) -> Result<Vec<Definition>, ConfigError> {
    let mut definitions: Vec<Definition> = Vec::new();
    for item in field.list("a list of definitions")? {
        let definition = Definition::parse(&item.object()?)?;
        let standard = Metric::ALL.iter().map(|metric| metric.name());
        let mut taken = standard.chain(HTTP_METRICS).chain(diagnostics::NAMES);
        if taken.any(|name| name == definition.name) {
            let reason = format!("{} is a metric already", definition.name);
            notices.no_effect(item.path(), &reason);
            continue;
        }
        if definitions
            .iter()
            .any(|other| other.name == definition.name)
        {
            return Err(ConfigError::Repeated {
                path: format!("{}.name", item.path()),
            });
        }
        definitions.push(definition);
    }
    Ok(definitions)
}

/// Reads `metrics`.
pub(super) fn metrics(
    field: &Field<'_>,
    definitions: &[Definition],
    naming: &Naming,
    notices: &mut Notices,
) -> Result<Vec<MetricConfig>, ConfigError> {
    let mut metrics = Vec::new();
    let mut of_http = Vec::new();
    for item in field.list("a list of metrics")? {
        let metric = MetricConfig::parse(&item.object()?, definitions)?;
        match is_of_http(&metric.name) {
            true => of_http.push(format!("{} ({})", item.path(), metric.name)),
            false => metrics.push((item, metric)),
        }
    }
    if !of_http.is_empty() {
        notices.ignored(&of_http.join(", "), "metrics of HTTP are not recorded");
    }
    let mut own: Vec<&(String, Cel)> = Vec::new();
    for dimension in metrics.iter().flat_map(|(_, metric)| &metric.dimensions) {
        if own.iter().all(|(label, _)| *label != dimension.0) {
            own.push(dimension);
        }
    }
    let standard = STANDARD_LABELS.iter().map(|label| label.name);
    let mut known: Vec<&str> = standard.collect();
    known.extend(own.iter().map(|(label, _)| label.as_str()));
    for (item, metric) in &metrics {
        for (tag, name) in metric.tags_to_remove.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let path = format!("{}.tags_to_remove[{tag}]", item.path());
                let reason = format!(
                    "no metric of TCP has a label {name:?} (nearest: {:?})",
                    nearest(name, known.iter().copied())
                );
                notices.no_effect(&path, &reason);
            }
        }
    }
    known.push(RESULT);
    ambiguous(&own, &known, naming, notices);
    Ok(metrics.into_iter().map(|(_, metric)| metric).collect())
}

/// Whether this is a metric that Istio records for HTTP requests, or a series of such a histogram.
fn is_of_http(name: &str) -> bool {
    let series = ["_bucket", "_count", "_sum"];
    let histogram = series.iter().find_map(|series| name.strip_suffix(series));
    HTTP_METRICS.contains(&name) || histogram.is_some_and(|name| HTTP_METRICS.contains(&name))
}

/// Hints at labels of the user's own of which one of all `labels` is the end, or the other way round:
/// where `stats_tags` does not say where a label begins, Envoy finds the shorter one in the longer one
/// and cuts that up.
fn ambiguous(own: &[&(String, Cel)], labels: &[&str], naming: &Naming, notices: &mut Notices) {
    for (label, cel) in own {
        for other in labels {
            let is_own = own.iter().any(|(own, _)| own == other);
            let (shorter, longer) = match naming::ends_like(other, label) {
                true => (label.as_str(), *other),
                // The shorter one has its own turn.
                false if !is_own && naming::ends_like(label, other) => (*other, label.as_str()),
                false => continue,
            };
            let tag = naming.anchored_tag(shorter);
            notices.hint(
                &cel.path,
                &format!(
                    "{shorter} ends like {longer}; its expression in stats_tags has to be {tag}"
                ),
            );
        }
    }
}

impl Definition {
    const KEYS: &'static [&'static str] = &["name", "value", "type"];

    fn parse(object: &Object<'_>) -> Result<Self, ConfigError> {
        let (mut name, mut value, mut kind) = (None, None, MetricKind::Counter);
        for field in object.fields()? {
            match field.name() {
                "name" => name = Some(field.identifier(field.string()?)?),
                "value" => value = Some(Cel::parse(&field)?),
                "type" => kind = field.one_of(&KINDS)?,
                _ => return Err(field.unknown(Self::KEYS)),
            }
        }
        Ok(Self {
            name: name.ok_or_else(|| object.missing("name"))?,
            value: value.ok_or_else(|| object.missing("value"))?,
            kind,
        })
    }
}

impl MetricConfig {
    const KEYS: &'static [&'static str] =
        &["name", "dimensions", "tags_to_remove", "match", "drop"];

    fn parse(object: &Object<'_>, definitions: &[Definition]) -> Result<Self, ConfigError> {
        let mut metric = Self::default();
        for field in object.fields()? {
            match field.name() {
                "name" => metric.name = known_metric(&field, definitions)?,
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

fn known_metric(field: &Field<'_>, definitions: &[Definition]) -> Result<String, ConfigError> {
    let name = field.string()?;
    let known = || {
        let standard = Metric::ALL.iter().map(|metric| metric.name());
        let own = definitions
            .iter()
            .map(|definition| definition.name.as_str());
        standard.chain(own).chain(HTTP_METRICS)
    };
    let is_known = |name: &str| is_of_http(name) || known().any(|known| known == name);
    let bare = name.strip_prefix(PREFIX).unwrap_or(name);
    match [name, bare].into_iter().find(|name| is_known(name)) {
        Some(known) => Ok(known.to_owned()),
        None if name.is_empty() => Ok(String::new()),
        None => Err(field.unknown_value(name, known())),
    }
}

/// Sorted by label: that is the order in which new ones are appended (Istio's rule).
fn dimensions(field: &Field<'_>) -> Result<Vec<(String, Cel)>, ConfigError> {
    let mut dimensions = Vec::new();
    for entry in field.object()?.entries() {
        dimensions.push((entry.identifier(entry.name())?, Cel::parse(&entry)?));
    }
    Ok(dimensions)
}
