//! The difference between two scrapes.

use mesh::exposition::{Exposition, Series};

/// The series that changed between two scrapes, with their increase.
#[must_use]
pub fn increase(before: &Exposition, after: &Exposition) -> Vec<Series> {
    let changed = after.iter().filter_map(|series| {
        let same = |old: &&Series| old.name == series.name && old.labels == series.labels;
        let value = series.value - before.iter().find(same).map_or(0.0, |old| old.value);
        (value != 0.0).then(|| Series {
            value,
            ..series.clone()
        })
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changed_series_have_an_increase() {
        let before = Exposition::parse("a{x=\"1\"} 1\na{x=\"2\"} 5\n").unwrap();
        let after = Exposition::parse("a{x=\"1\"} 4\na{x=\"2\"} 5\nb 2\n").unwrap();
        let changed: Vec<_> = increase(&before, &after)
            .iter()
            .map(Series::to_string)
            .collect();
        assert_eq!(changed, ["a{x=\"1\"} 3", "b{} 2"]);
    }
}
