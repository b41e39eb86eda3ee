//! The names of stats, split as Envoy's tag extraction splits them.

use std::collections::BTreeSet;

use tcp_peer_stats_core::Naming;

use crate::host::FakeHost;

/// Asserts that every stat of a filter with this naming has labels, each once and none empty, then
/// a name, and that no value contains a separator or a control character.
pub(crate) fn check(host: &FakeHost, naming: &Naming) {
    for (stat, _) in host.metrics.borrow().iter() {
        let parts: Vec<_> = stat.split(naming.field_separator.as_str()).collect();
        let (name, labels) = parts.split_last().expect("a part");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(
            name.starts_with(&naming.prefix) && name.chars().all(plain),
            "{stat:?}"
        );
        let mut seen = BTreeSet::new();
        for label in labels {
            let pair: Vec<_> = label.split(naming.value_separator.as_str()).collect();
            let [label, value] = pair.as_slice() else {
                panic!("{label:?} in {stat:?}");
            };
            assert!(seen.insert(*label), "{label:?} twice in {stat:?}");
            assert!(!value.is_empty(), "{label:?} is empty in {stat:?}");
            assert!(
                value.len() <= naming.max_value_len,
                "{label:?} is long in {stat:?}"
            );
            assert!(!value.contains(char::is_control), "{label:?} in {stat:?}");
            // The separators of statsd sinks; flags are the filter's own and may have a comma.
            let foreign = *label != "response_flags" && value.contains([',', '|', ';']);
            assert!(!foreign, "{label:?} in {stat:?}");
        }
    }
}

/// The values of a label, of all stats.
pub(crate) fn values(host: &FakeHost, naming: &Naming, label: &str) -> BTreeSet<String> {
    let begin = format!("{label}{}", naming.value_separator);
    let metrics = host.metrics.borrow();
    let parts = metrics
        .iter()
        .flat_map(|(stat, _)| stat.split(naming.field_separator.as_str()));
    parts
        .filter_map(|part| part.strip_prefix(&begin))
        .map(str::to_owned)
        .collect()
}
