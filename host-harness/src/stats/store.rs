//! The counters, gauges and histograms of one emulated Envoy, by stat name.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::query::Series;
use super::tags::StatsTag;
use crate::abi::MetricType;

/// The stats of a process, shared by all its VMs.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(super) tags: Vec<StatsTag>,
    pub(super) counters: BTreeMap<String, u64>,
    pub(super) gauges: BTreeMap<String, u64>,
    pub(super) histograms: BTreeMap<String, Histogram>,
}

impl Stats {
    pub(crate) fn new(tags: Vec<StatsTag>) -> Self {
        Self {
            tags,
            ..Self::default()
        }
    }

    pub(crate) fn define(&mut self, kind: MetricType, name: &str) {
        match kind {
            MetricType::Counter => drop(self.counters.entry(name.to_owned()).or_default()),
            MetricType::Gauge => drop(self.gauges.entry(name.to_owned()).or_default()),
            MetricType::Histogram => drop(self.histograms.entry(name.to_owned()).or_default()),
        }
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn gauge(&self, name: &str) -> u64 {
        self.gauges.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn add_counter(&mut self, name: &str, offset: u64) {
        if let Some(value) = self.counters.get_mut(name) {
            *value = value.wrapping_add(offset);
        }
    }

    pub(crate) fn add_gauge(&mut self, name: &str, offset: i64) {
        if let Some(value) = self.gauges.get_mut(name) {
            *value = value.wrapping_add_signed(offset);
        }
    }

    pub(crate) fn set_gauge(&mut self, name: &str, value: u64) {
        if let Some(gauge) = self.gauges.get_mut(name) {
            *gauge = value;
        }
    }

    pub(crate) fn record(&mut self, name: &str, value: u64) {
        if let Some(histogram) = self.histograms.get_mut(name) {
            histogram.record(value);
        }
    }

    /// All series by Prometheus name and labels: counters, gauges, and the buckets, sum and count
    /// of histograms.
    pub(crate) fn series(&self) -> Vec<Series> {
        let values = self.counters.iter().chain(&self.gauges);
        let values = values.map(|(name, value)| Series::new(name, &self.tags, *value));
        let histograms = self
            .histograms
            .iter()
            .flat_map(|(name, histogram)| Series::of_histogram(name, &self.tags, histogram));
        values.chain(histograms).collect()
    }
}
