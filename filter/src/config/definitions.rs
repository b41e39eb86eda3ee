//! `definitions[]`: the user's own metrics.

use super::cel::Cel;
use super::error::ConfigError;
use super::notices::Notices;
use super::value::{Field, Object};
use crate::host::MetricKind;
use crate::labels::{DIAGNOSTICS, HTTP_METRICS, Metric};

/// `definitions[]`: a metric of the user's own, recorded once per connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Definition {
    /// Its name without the prefix.
    pub name: String,
    /// The amount to record.
    pub value: Cel,
    /// Its kind.
    pub kind: MetricKind,
}

const KINDS: [(&str, MetricKind); 3] = [
    ("COUNTER", MetricKind::Counter),
    ("GAUGE", MetricKind::Gauge),
    ("HISTOGRAM", MetricKind::Histogram),
];

/// Reads `definitions`. One with the name of an existing metric has no effect, as in Istio.
pub(super) fn definitions(
    field: &Field<'_>,
    notices: &mut Notices,
) -> Result<Vec<Definition>, ConfigError> {
    let mut definitions: Vec<Definition> = Vec::new();
    for item in field.list("a list of definitions")? {
        let definition = Definition::parse(&item.object()?)?;
        let name = definition.name.as_str();
        let exists = Metric::ALL.iter().any(|metric| metric.name() == name)
            || HTTP_METRICS.contains(&name)
            || DIAGNOSTICS.contains(&name);
        if exists {
            notices.no_effect(item.path(), &format!("{name} is a metric already"));
            continue;
        }
        if definitions.iter().any(|other| other.name == name) {
            return Err(ConfigError::Repeated {
                path: format!("{}.name", item.path()),
            });
        }
        definitions.push(definition);
    }
    Ok(definitions)
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
