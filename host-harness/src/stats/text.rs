//! The text of `/stats` and `/stats/prometheus`. Envoy: `StatsTextRender`,
//! `PrometheusStatsFormatter`.

use std::collections::BTreeMap;

use super::histogram::{Histogram, precise};
use super::query::Series;
use super::store::Stats;
use super::tags::StatsTag;

/// The lines of one metric type by family. Families are sorted by name, series by stat name.
#[derive(Default)]
struct Families(BTreeMap<String, Vec<String>>);

impl Families {
    fn add(&mut self, family: String, lines: impl IntoIterator<Item = String>) {
        self.0.entry(family).or_default().extend(lines);
    }

    fn text(&self, kind: &str) -> String {
        let mut text = String::new();
        for (name, lines) in &self.0 {
            text.push_str(&format!("# TYPE {name} {kind}\n{}\n", lines.join("\n")));
        }
        text
    }
}

fn numbers(stats: &BTreeMap<String, u64>, tags: &[StatsTag]) -> Families {
    let mut families = Families::default();
    for (name, value) in stats {
        let series = Series::new(name, tags, *value);
        let line = line(&series, value);
        families.add(series.name, [line]);
    }
    families
}

fn histograms(stats: &BTreeMap<String, Histogram>, tags: &[StatsTag]) -> Families {
    let mut families = Families::default();
    for (name, histogram) in stats {
        let family = Series::new(name, tags, 0).name;
        let sum = format!("{family}_sum");
        let series = Series::of_histogram(name, tags, histogram);
        let lines = series.iter().map(|series| match series.name == sum {
            true => line(series, &precise(histogram.sum())),
            false => line(series, &series.value),
        });
        families.add(family, lines);
    }
    families
}

fn line(series: &Series, value: &impl ToString) -> String {
    let labels: Vec<_> = series
        .labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    let value = value.to_string();
    format!("{}{{{}}} {value}", series.name, labels.join(","))
}

fn escape(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('\n', r"\n")
        .replace('"', "\\\"")
}

impl Stats {
    /// Returns the text of `/stats`: counters and gauges, sorted by name.
    pub(crate) fn text(&self) -> String {
        let all: BTreeMap<_, _> = self.counters.iter().chain(&self.gauges).collect();
        let lines: Vec<_> = all
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        lines.concat()
    }

    /// Returns the text of `/stats/prometheus`: counters, gauges, histograms.
    pub(crate) fn prometheus_text(&self) -> String {
        [
            numbers(&self.counters, &self.tags).text("counter"),
            numbers(&self.gauges, &self.tags).text("gauge"),
            histograms(&self.histograms, &self.tags).text("histogram"),
        ]
        .concat()
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

    #[test]
    fn a_histogram_has_buckets_a_sum_and_a_count() {
        let mut stats = Stats::new(StatsTag::labels(["app"]));
        for (app, value) in [("x", 1500), ("y", 3)] {
            let name = format!("wasmcustom.app=.={app};.;dur");
            stats.define(MetricType::Histogram, &name);
            stats.record(&name, value);
        }
        let text = stats.prometheus_text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 2 * 22);
        assert_eq!(lines[0], "# TYPE dur histogram");
        assert_eq!(lines[1], "dur_bucket{app=\"x\",le=\"0.5\"} 0");
        assert!(lines.contains(&"dur_bucket{app=\"x\",le=\"2500\"} 1"));
        assert!(lines.contains(&"dur_sum{app=\"y\"} 3.0491803278688522915729208762059"));
        assert_eq!(lines[44], "dur_count{app=\"y\"} 1");
    }
}
