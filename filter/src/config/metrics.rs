//! `metrics[]` and `definitions[]`: what users change about labels and add to the metrics.

use super::value::{Field, Object};
use super::{ConfigError, Notices};
use crate::diagnostics;
use crate::expression::ExpressionError;
use crate::labels::STANDARD_LABELS;
use crate::metric::{HTTP_METRICS, Metric, MetricKind};
use crate::nearest::nearest;

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
    notices: &mut Notices,
) -> Result<Vec<MetricConfig>, ConfigError> {
    let mut metrics = Vec::new();
    for item in field.list("a list of metrics")? {
        let metric = MetricConfig::parse(&item.object()?, definitions)?;
        if HTTP_METRICS.contains(&metric.name.as_str()) {
            let reason = format!("{} is not a metric of TCP", metric.name);
            notices.no_effect(item.path(), &reason);
        }
        for (label, cel) in &metric.dimensions {
            let mut longer = STANDARD_LABELS.iter().map(|standard| standard.name);
            if let Some(longer) =
                longer.find(|name| name.len() > label.len() && name.ends_with(label.as_str()))
            {
                let hint = format!(
                    "{longer} ends like it, so its expression in stats_tags has to say where a label \
                     begins; the documentation of the configuration shows how"
                );
                notices.hint(&cel.path, &hint);
            }
        }
        metrics.push(metric);
    }
    let own = |metric: &MetricConfig| {
        metric
            .dimensions
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let own: Vec<String> = metrics.iter().flat_map(own).collect();
    let known = || {
        STANDARD_LABELS
            .iter()
            .map(|label| label.name)
            .chain(own.iter().map(String::as_str))
    };
    for (index, metric) in metrics.iter().enumerate() {
        for (tag, name) in metric.tags_to_remove.iter().enumerate() {
            if known().all(|label| label != name) {
                let path = format!("{}[{index}].tags_to_remove[{tag}]", field.path());
                let reason = format!(
                    "no metric of TCP has a label {name:?} (nearest: {:?})",
                    nearest(name, known())
                );
                notices.no_effect(&path, &reason);
            }
        }
    }
    Ok(metrics)
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
    if name.is_empty() || known().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(field.unknown_value(name, known()))
}

/// Sorted by label: that is the order in which new ones are appended (Istio's rule).
fn dimensions(field: &Field<'_>) -> Result<Vec<(String, Cel)>, ConfigError> {
    let mut dimensions = Vec::new();
    for entry in field.object()?.entries() {
        dimensions.push((entry.identifier(entry.name())?, Cel::parse(&entry)?));
    }
    Ok(dimensions)
}
