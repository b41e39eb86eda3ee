//! Which labels each metric has, and where their values come from.
//!
//! Without a configuration every metric has the standard labels. `metrics[]` changes that, entry
//! by entry, for one metric or for all, always or only where a condition holds.

use std::borrow::Cow;

use crate::config::expression::{Absent, ExpressionId, Expressions, Values};
use crate::config::{Cel, Config, ConfigError};
use crate::host::Host;
use crate::host::MetricKind;
use crate::host::attributes::Roots;
use crate::labels::metric::Metric;
use crate::labels::naming::{self, Naming};
use crate::labels::{RESPONSE_FLAGS, STANDARD_LABELS, UNKNOWN};

/// Where the value of a label comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    /// The standard label at this index.
    Standard(usize),
    /// An expression's value.
    Expression(ExpressionId),
}

/// One label of a metric.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Label {
    name: Cow<'static, str>,
    origin: Origin,
}

/// An entry of `metrics[]`, compiled.
#[derive(Debug)]
struct Entry {
    metric: String,
    condition: Option<ExpressionId>,
    drop: bool,
    remove: Vec<String>,
    set: Vec<(String, ExpressionId)>,
}

/// A metric that connections are counted in.
#[derive(Debug)]
struct MetricSpec {
    name: String,
    kind: MetricKind,
    base: Base,
}

/// What a metric is before `metrics[]` changes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Base {
    /// One of [`Metric`], with the standard labels.
    Standard,
    /// One of [`Metric`] that is not asked for.
    Off,
    /// `definitions[]`: without labels; a connection counts for this much.
    Defined(ExpressionId),
}

/// The metrics of a configuration and their labels. [`Metric`]s come first, by their number.
#[derive(Debug)]
pub(crate) struct Layout {
    naming: Naming,
    metrics: Vec<MetricSpec>,
    entries: Vec<Entry>,
    /// The expressions whose values no peer chooses.
    configured: Vec<ExpressionId>,
    /// The labels of all metrics, where no condition makes them differ between connections.
    fixed: Option<Assignment>,
}

/// The different label sets and which metric has which.
#[derive(Clone, Debug, Default)]
struct Assignment {
    sets: Vec<Vec<Label>>,
    /// The last line of a [`SeriesKey`].
    codes: String,
}

/// The label sets of one connection, encoded: the lines of its text are the heads of stat names
/// (all that stands in front of a metric's own name), the last line tells each metric's head.
///
/// Equal keys are the same series of all metrics. Values have no line breaks in them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct SeriesKey(String);

impl SeriesKey {
    /// What stands for the first head in the last line; the second follows it, and so on.
    const FIRST: u32 = 'a' as u32;
    /// What stands for a metric that is left out.
    const DROPPED: char = '-';

    /// The head of the metric at `index` of the layout; `None` if it is left out.
    pub(crate) fn head(&self, index: usize) -> Option<&str> {
        let (heads, assignment) = self.0.rsplit_once('\n')?;
        let head = assignment.chars().nth(index)?;
        let head = u32::from(head).checked_sub(Self::FIRST)?;
        heads.split('\n').nth(usize::try_from(head).ok()?)
    }
}

impl Layout {
    /// The metrics that a configuration asks for, its expressions compiled.
    ///
    /// # Errors
    /// An expression that the host cannot evaluate.
    pub(crate) fn compile<H: Host>(
        host: &H,
        roots: Roots,
        config: &Config,
        expressions: &mut Expressions,
    ) -> Result<Self, ConfigError> {
        let mut compile = |cel: &Cel| {
            let absent = |absent: &Absent| log::warn!("{}: {absent}", cel.path);
            let compiled = expressions.compile(host, roots, &cel.text, absent);
            compiled.map_err(|reason| cel.refused(reason))
        };
        let mut metrics = Vec::new();
        for metric in Metric::ALL {
            let wanted = config.extended_metrics || Metric::STANDARD.contains(&metric);
            metrics.push(MetricSpec {
                name: metric.name().to_owned(),
                kind: metric.kind(),
                base: if wanted { Base::Standard } else { Base::Off },
            });
        }
        for definition in &config.definitions {
            metrics.push(MetricSpec {
                name: definition.name.clone(),
                kind: definition.kind,
                base: Base::Defined(compile(&definition.value)?),
            });
        }
        let mut entries = Vec::new();
        let mut configured = Vec::new();
        for metric in &config.metrics {
            let condition = metric.condition.as_ref().map(&mut compile).transpose()?;
            let mut set = Vec::new();
            for (label, cel) in &metric.dimensions {
                let id = compile(cel)?;
                if naming::is_configuration(&cel.text) {
                    configured.push(id);
                }
                set.push((label.clone(), id));
            }
            entries.push(Entry {
                metric: metric.name.clone(),
                condition,
                drop: metric.drop,
                remove: metric.tags_to_remove.clone(),
                set,
            });
        }
        let mut layout = Self {
            naming: config.naming.clone(),
            metrics,
            entries,
            configured,
            fixed: None,
        };
        if layout.entries.iter().all(|entry| entry.condition.is_none()) {
            layout.fixed = Some(layout.assign(&Values::default()));
        }
        Ok(layout)
    }

    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// The kinds of all metrics.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = MetricKind> {
        self.metrics.iter().map(|metric| metric.kind)
    }

    /// What a connection adds to the metrics of the user's own: their indices and values.
    pub(crate) fn defined(&self, values: &Values) -> impl Iterator<Item = (usize, i64)> {
        let metrics = self.metrics.iter().enumerate();
        metrics.filter_map(|(index, metric)| match metric.base {
            Base::Defined(value) => Some((index, values.integer(value).unwrap_or_default())),
            Base::Standard | Base::Off => None,
        })
    }

    /// The stat of the metric at `index` in a series; `None` if it is left out there.
    pub(crate) fn stat(&self, key: &SeriesKey, index: usize) -> Option<String> {
        let metric = self.metrics.get(index)?;
        Some(format!(
            "{}{}",
            key.head(index)?,
            self.naming.metric(&metric.name)
        ))
    }

    /// The label sets of a connection whose standard labels are `standard`.
    pub(crate) fn encode(&self, standard: &[Cow<'_, str>], values: &Values) -> SeriesKey {
        let assignment = match &self.fixed {
            Some(fixed) => Cow::Borrowed(fixed),
            None => Cow::Owned(self.assign(values)),
        };
        let mut text = String::with_capacity(1024 * assignment.sets.len());
        for set in &assignment.sets {
            for Label { name, origin } in set {
                let value = match origin {
                    Origin::Standard(index) => {
                        standard.get(*index).map(|value| Cow::Borrowed(&**value))
                    }
                    Origin::Expression(id) => values.text(*id).map(Cow::Owned),
                };
                let value = value.as_deref().unwrap_or(UNKNOWN);
                match origin {
                    Origin::Standard(RESPONSE_FLAGS) => {
                        self.naming.push_flags(&mut text, name, value);
                    }
                    Origin::Expression(id) if self.configured.contains(id) => {
                        self.naming.push_configured(&mut text, name, value);
                    }
                    _ => self.naming.push_label(&mut text, name, value),
                }
            }
            text.push('\n');
        }
        text.push_str(&assignment.codes);
        SeriesKey(text)
    }

    /// Gives every metric its labels, and equal labels to metrics that have them in common.
    fn assign(&self, values: &Values) -> Assignment {
        let mut assignment = Assignment::default();
        for metric in &self.metrics {
            let code = self.labels(metric, values).and_then(|labels| {
                let sets = &mut assignment.sets;
                let known = sets.iter().position(|set| *set == labels);
                let index = known.unwrap_or_else(|| {
                    sets.push(labels);
                    sets.len() - 1
                });
                char::from_u32(SeriesKey::FIRST + u32::try_from(index).ok()?)
            });
            assignment.codes.push(code.unwrap_or(SeriesKey::DROPPED));
        }
        assignment
    }

    /// The labels that a metric has where the conditions are as they are; `None` if it is dropped.
    fn labels(&self, metric: &MetricSpec, values: &Values) -> Option<Vec<Label>> {
        let mut labels = Vec::new();
        match metric.base {
            Base::Off => return None,
            Base::Defined(_) => {}
            Base::Standard => {
                let standard = STANDARD_LABELS.iter().enumerate();
                labels.extend(standard.map(|(index, label)| Label {
                    name: Cow::Borrowed(label.name),
                    origin: Origin::Standard(index),
                }));
            }
        }
        for entry in &self.entries {
            let applies = (entry.metric.is_empty() || entry.metric == metric.name)
                && entry
                    .condition
                    .is_none_or(|condition| values.holds(condition));
            if !applies {
                continue;
            }
            if entry.drop {
                return None;
            }
            labels.retain(|label| !entry.remove.iter().any(|name| *name == label.name));
            for (name, id) in &entry.set {
                let origin = Origin::Expression(*id);
                match labels.iter_mut().find(|label| label.name == name.as_str()) {
                    Some(label) => label.origin = origin,
                    None => {
                        // The expressions of stats_tags take the first place that they match, which
                        // is in a longer label if that comes first.
                        let longer = |label: &Label| naming::ends_like(&label.name, name);
                        let place = labels.iter().position(longer).unwrap_or(labels.len());
                        let name = Cow::Owned(name.clone());
                        let mut carried = Label { name, origin };
                        for label in labels.iter_mut().skip(place) {
                            std::mem::swap(label, &mut carried);
                        }
                        labels.push(carried);
                    }
                }
            }
        }
        Some(labels)
    }
}

#[cfg(test)]
mod tests;
