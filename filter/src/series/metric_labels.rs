//! The labels of one metric: the standard ones, changed by the entries of `metrics[]`.

use std::borrow::Cow;

use crate::config::{ExpressionId, ExpressionValues};
use crate::host::MetricKind;
use crate::labels::{STANDARD_LABELS, StandardLabel, ends_like};

/// A metric that connections are counted in.
#[derive(Debug)]
pub(super) struct SelectedMetric {
    pub(super) name: String,
    pub(super) kind: MetricKind,
    pub(super) base: Base,
}

/// A metric before the entries of `metrics[]` change it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Base {
    /// One of [`Metric`](crate::labels::Metric), with the standard labels.
    Standard,
    /// One of [`Metric`](crate::labels::Metric) that the configuration does not enable.
    Disabled,
    /// `definitions[]`: no labels; the expression's value is added for each connection.
    Defined(ExpressionId),
}

/// An entry of `metrics[]` with compiled expressions.
#[derive(Debug)]
pub(super) struct Entry {
    /// The metric that it changes; all of them if empty.
    pub(super) metric: String,
    pub(super) condition: Option<ExpressionId>,
    pub(super) drop: bool,
    pub(super) remove: Vec<String>,
    pub(super) set: Vec<(String, ExpressionId)>,
}

/// One label of a metric.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Label {
    pub(super) name: Cow<'static, str>,
    pub(super) origin: Origin,
}

/// The origin of a label's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// The standard label at this index.
    Standard(usize),
    /// An expression.
    Expression(ExpressionId),
}

impl SelectedMetric {
    /// The metric's labels for a connection with these values; `None` if the metric is left out.
    pub(super) fn labels(
        &self,
        entries: &[Entry],
        values: &ExpressionValues,
    ) -> Option<Vec<Label>> {
        let mut labels = match self.base {
            Base::Disabled => return None,
            Base::Defined(_) => Vec::new(),
            Base::Standard => STANDARD_LABELS.iter().enumerate().map(standard).collect(),
        };
        for entry in entries {
            if !entry.applies(&self.name, values) {
                continue;
            }
            if entry.drop {
                return None;
            }
            labels.retain(|label| !entry.remove.iter().any(|name| *name == label.name));
            for (name, expression) in &entry.set {
                set(&mut labels, name, Origin::Expression(*expression));
            }
        }
        Some(labels)
    }
}

impl Entry {
    fn applies(&self, metric: &str, values: &ExpressionValues) -> bool {
        (self.metric.is_empty() || self.metric == metric)
            && self
                .condition
                .is_none_or(|condition| values.holds(condition))
    }
}

fn standard((index, label): (usize, &StandardLabel)) -> Label {
    Label {
        name: Cow::Borrowed(label.name),
        origin: Origin::Standard(index),
    }
}

/// Gives a label another origin, or adds it.
///
/// A new label comes before any label whose name ends with its own: an expression of `stats_tags`
/// matches at its first place in the stat's name, which otherwise is in the longer label.
fn set(labels: &mut Vec<Label>, name: &str, origin: Origin) {
    if let Some(label) = labels.iter_mut().find(|label| label.name == name) {
        label.origin = origin;
        return;
    }
    let mut carried = Label {
        name: Cow::Owned(name.to_owned()),
        origin,
    };
    let place = labels
        .iter()
        .position(|label| ends_like(&label.name, name))
        .unwrap_or(labels.len());
    // `Vec::insert` can panic.
    for label in labels.iter_mut().skip(place) {
        std::mem::swap(label, &mut carried);
    }
    labels.push(carried);
}
