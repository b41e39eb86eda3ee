//! Notices about the labels that `metrics[]` removes and adds.

use super::cel::Cel;
use super::metrics::MetricConfig;
use super::notices::Notices;
use super::suggestion::nearest;
use crate::labels::{Naming, STANDARD_LABELS, ends_like};

/// The label of the filter's own `tcp_peer_exchange_total`, which every bootstrap extracts.
const RESULT: &str = "result";

/// Checks the labels of all entries, which have their places with them.
pub(super) fn check(metrics: &[(String, MetricConfig)], naming: &Naming, notices: &mut Notices) {
    let mut own: Vec<&(String, Cel)> = Vec::new();
    for dimension in metrics.iter().flat_map(|(_, metric)| &metric.dimensions) {
        if own.iter().all(|(label, _)| *label != dimension.0) {
            own.push(dimension);
        }
    }
    let mut known: Vec<&str> = STANDARD_LABELS.iter().map(|label| label.name).collect();
    known.extend(own.iter().map(|(label, _)| label.as_str()));
    for (path, metric) in metrics {
        unknown_tags(path, metric, &known, notices);
    }
    known.push(RESULT);
    ambiguous_labels(&own, &known, naming, notices);
}

/// Reports the labels of `tags_to_remove` that no metric has.
fn unknown_tags(path: &str, metric: &MetricConfig, known: &[&str], notices: &mut Notices) {
    for (index, name) in metric.tags_to_remove.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            notices.no_effect(
                &format!("{path}.tags_to_remove[{index}]"),
                &format!(
                    "no metric of TCP has a label {name:?} (nearest: {:?})",
                    nearest(name, known.iter().copied())
                ),
            );
        }
    }
}

/// Reports the user's own labels whose name ends with the name of another label, or the other way
/// round: an expression of `stats_tags` without an anchor finds the shorter label in the longer
/// one.
fn ambiguous_labels(
    own: &[&(String, Cel)],
    labels: &[&str],
    naming: &Naming,
    notices: &mut Notices,
) {
    for (label, cel) in own {
        for other in labels {
            let is_own = own.iter().any(|(own, _)| own == other);
            let (shorter, longer) = match ends_like(other, label) {
                true => (label.as_str(), *other),
                // A shorter label of the user's own is reported in its own turn.
                false if !is_own && ends_like(label, other) => (*other, label.as_str()),
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
