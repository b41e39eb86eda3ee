//! The text of `/stats` and `/stats/prometheus`. Envoy: `StatsTextRender`, `PrometheusStatsFormatter`.

use super::{Series, Stats, StatsTag};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One type of metric in the Prometheus text format: families sorted by name, in each the series by stat name.
fn prometheus(kind: &str, stats: &BTreeMap<String, u64>, tags: &[StatsTag], into: &mut String) {
    let mut families: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for (name, value) in stats {
        let series = Series::new(name, tags, *value);
        families
            .entry(series.name.clone())
            .or_default()
            .push(series);
    }
    for (name, series) in families {
        // Writing to a string cannot fail.
        let _infallible = writeln!(into, "# TYPE {name} {kind}");
        for Series { labels, value, .. } in series {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
                .collect();
            let _infallible = writeln!(into, "{name}{{{}}} {value}", labels.join(","));
        }
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('\n', r"\n")
        .replace('"', "\\\"")
}

impl Stats {
    /// The text of `/stats`: counters and gauges, sorted by name.
    pub(crate) fn text(&self) -> String {
        let all: BTreeMap<_, _> = self.counters.iter().chain(&self.gauges).collect();
        let lines: Vec<_> = all
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        lines.concat()
    }

    /// The text of `/stats/prometheus`: counters, then gauges.
    pub(crate) fn prometheus_text(&self) -> String {
        let mut text = String::new();
        prometheus("counter", &self.counters, &self.tags, &mut text);
        prometheus("gauge", &self.gauges, &self.tags, &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::MetricType;

    #[test]
    fn families_are_sorted_and_hold_their_series() {
        let mut stats = Stats::new(StatsTag::labels(["app"]));
        for app in ["b", "a\""] {
            let name = format!("wasmcustom.app=.={app};.;n");
            stats.define(MetricType::Counter, &name);
            stats.add_counter(&name, 2);
        }
        stats.define(MetricType::Counter, "wasmcustom.a.plain");
        stats.define(MetricType::Gauge, "wasmcustom.open");
        assert_eq!(
            stats.prometheus_text(),
            "# TYPE a_plain counter\na_plain{} 0\n\
             # TYPE n counter\nn{app=\"a\\\"\"} 2\nn{app=\"b\"} 2\n\
             # TYPE open gauge\nopen{} 0\n"
        );
        assert!(
            stats
                .text()
                .ends_with("wasmcustom.app=.=b;.;n: 2\nwasmcustom.open: 0\n")
        );
    }
}
