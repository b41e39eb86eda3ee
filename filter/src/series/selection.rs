//! The metrics of a configuration and the selection of each one's labels.
//!
//! Without a configuration every metric has the standard labels. `metrics[]` changes that, entry
//! by entry, for one metric or for all, always or only where a condition holds.

use std::borrow::Cow;
use std::rc::Rc;

use super::key::{SeriesKey, SetOfMetric};
use super::metric_labels::{Base, Entry, Label, Origin, SelectedMetric};
use crate::bytes::Bytes;
use crate::config::{Cel, Config, ConfigError, ExpressionId, ExpressionValues, Expressions};
use crate::host::attributes::Roots;
use crate::host::{Host, MetricKind};
use crate::labels::{LabelValue, Metric, Naming, STANDARD_LABELS, UNKNOWN, is_configuration};

/// The metrics of a configuration and their labels. [`Metric`]s come first, by their number.
#[derive(Debug)]
pub(crate) struct LabelSelection {
    naming: Naming,
    metrics: Vec<SelectedMetric>,
    entries: Vec<Entry>,
    /// The expressions whose values no peer chooses.
    configured: Vec<ExpressionId>,
    /// The label sets of every connection, if no entry has a condition.
    fixed: Option<LabelSets>,
}

/// The different label sets of all metrics.
#[derive(Clone, Debug)]
struct LabelSets {
    sets: Vec<Vec<Label>>,
    set_of: SetOfMetric,
}

impl LabelSelection {
    /// Compiles the metrics of a configuration.
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
            expressions
                .compile(host, roots, &cel.text, |absent| {
                    log::warn!("{}: {absent}", cel.path);
                })
                .map_err(|reason| cel.error(reason))
        };
        let mut metrics = Vec::new();
        for metric in Metric::ALL {
            let enabled = config.extended_metrics || Metric::STANDARD.contains(&metric);
            metrics.push(SelectedMetric {
                name: metric.name().to_owned(),
                kind: metric.kind(),
                base: if enabled {
                    Base::Standard
                } else {
                    Base::Disabled
                },
            });
        }
        for definition in &config.definitions {
            metrics.push(SelectedMetric {
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
                if is_configuration(&cel.text) {
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
        let mut selection = Self {
            naming: config.naming.clone(),
            metrics,
            entries,
            configured,
            fixed: None,
        };
        if selection
            .entries
            .iter()
            .all(|entry| entry.condition.is_none())
        {
            selection.fixed = Some(selection.label_sets(&ExpressionValues::default()));
        }
        Ok(selection)
    }

    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// The kinds of all metrics.
    pub(super) fn kinds(&self) -> impl Iterator<Item = MetricKind> {
        self.metrics.iter().map(|metric| metric.kind)
    }

    /// The indices of the metrics of `definitions[]`, and the amount that a connection with these
    /// values adds to each.
    pub(crate) fn defined(&self, values: &ExpressionValues) -> impl Iterator<Item = (usize, i64)> {
        let metrics = self.metrics.iter().enumerate();
        metrics.filter_map(|(index, metric)| match metric.base {
            Base::Defined(value) => Some((index, values.integer(value).unwrap_or_default())),
            Base::Standard | Base::Disabled => None,
        })
    }

    /// The name of the stat of the metric at `index`; `None` if the metric is left out.
    pub(crate) fn stat_name(&self, key: &SeriesKey, index: usize) -> Option<String> {
        let metric = self.metrics.get(index)?;
        Some(format!(
            "{}{}",
            key.labels(index)?,
            self.naming.metric(&metric.name)
        ))
    }

    /// The label sets of a connection with these values of the standard labels.
    pub(crate) fn key(&self, standard: &[Cow<'_, str>], values: &ExpressionValues) -> SeriesKey {
        let selected = match &self.fixed {
            Some(fixed) => Cow::Borrowed(fixed),
            None => Cow::Owned(self.label_sets(values)),
        };
        let mut label_sets = Vec::with_capacity(selected.sets.len());
        for set in &selected.sets {
            let mut encoded = String::with_capacity(1024);
            for label in set {
                self.encode(&mut encoded, label, standard, values);
            }
            label_sets.push(Bytes(encoded));
        }
        SeriesKey {
            label_sets,
            set_of: Rc::clone(&selected.set_of),
        }
    }

    fn encode(
        &self,
        encoded: &mut String,
        label: &Label,
        standard: &[Cow<'_, str>],
        values: &ExpressionValues,
    ) {
        let Label { name, origin } = label;
        match origin {
            Origin::Standard(index) => {
                let value = standard.get(*index).map_or(UNKNOWN, |value| value);
                match STANDARD_LABELS.get(*index).map(|label| label.value) {
                    Some(LabelValue::ResponseFlags) => {
                        self.naming.push_flags(encoded, name, value);
                    }
                    _ => self.naming.push_label(encoded, name, value),
                }
            }
            Origin::Expression(id) => {
                let value = values.text(*id);
                let value = value.as_deref().unwrap_or(UNKNOWN);
                match self.configured.contains(id) {
                    true => self.naming.push_configured(encoded, name, value),
                    false => self.naming.push_label(encoded, name, value),
                }
            }
        }
    }

    /// Selects the labels of every metric; metrics with equal labels share a set.
    fn label_sets(&self, values: &ExpressionValues) -> LabelSets {
        let mut sets = Vec::new();
        let mut set_of = Vec::with_capacity(self.metrics.len());
        for metric in &self.metrics {
            let labels = metric.labels(&self.entries, values);
            set_of.push(labels.and_then(|labels| index_of(&mut sets, labels)));
        }
        LabelSets {
            sets,
            set_of: Rc::new(set_of),
        }
    }
}

/// The index of a label set, which is appended if it is a new one.
fn index_of(sets: &mut Vec<Vec<Label>>, labels: Vec<Label>) -> Option<u16> {
    let index = match sets.iter().position(|set| *set == labels) {
        Some(index) => index,
        None => {
            sets.push(labels);
            sets.len() - 1
        }
    };
    u16::try_from(index).ok()
}

#[cfg(test)]
mod tests;
