//! Metric ids of one VM and Envoy's rules for using them.

use super::Host;
use crate::abi::{HostResult, MetricType, Status};
use std::collections::HashMap;

/// The low bits of an id tell the type of the metric.
const TYPE_MASK: u32 = 3;
const ID_STEP: u32 = 4;

/// Ids are the VM's own; the stats behind them belong to the process.
#[derive(Debug, Default)]
pub(super) struct MetricIds {
    names: HashMap<u32, String>,
    defined: [u32; 3],
}

impl MetricIds {
    fn name(&self, id: u32) -> HostResult<&str> {
        self.names
            .get(&id)
            .map(String::as_str)
            .ok_or(Status::NotFound)
    }
}

fn metric_type(id: u32) -> Option<MetricType> {
    MetricType::try_from(id & TYPE_MASK).ok()
}

impl Host {
    /// `proxy_define_metric`: a new id on every call, also for a name that has one (first counter 4, then 8, …).
    pub(crate) fn define_metric(&mut self, kind: MetricType, name: &str) -> u32 {
        let name = format!("wasmcustom.{name}");
        self.process.stats.borrow_mut().define(kind, &name);
        let [counters, gauges, histograms] = &mut self.metrics.defined;
        let count = match kind {
            MetricType::Counter => counters,
            MetricType::Gauge => gauges,
            MetricType::Histogram => histograms,
        };
        *count += 1;
        let id = *count * ID_STEP + kind as u32;
        self.metrics.names.insert(id, name);
        id
    }

    /// `proxy_increment_metric`: a counter takes only positive offsets, a histogram none.
    pub(crate) fn increment_metric(&self, id: u32, offset: i64) -> HostResult {
        let mut stats = self.process.stats.borrow_mut();
        match metric_type(id) {
            Some(MetricType::Counter) => {
                let name = self.metrics.name(id)?;
                let offset = u64::try_from(offset).ok().filter(|offset| *offset > 0);
                stats.add_counter(name, offset.ok_or(Status::BadArgument)?);
                Ok(())
            }
            Some(MetricType::Gauge) => {
                stats.add_gauge(self.metrics.name(id)?, offset);
                Ok(())
            }
            Some(MetricType::Histogram) | None => Err(Status::BadArgument),
        }
    }

    /// `proxy_record_metric`: adds to a counter, sets a gauge, records into a histogram.
    pub(crate) fn record_metric(&self, id: u32, value: u64) -> HostResult {
        let name = self.metrics.name(id)?;
        let mut stats = self.process.stats.borrow_mut();
        match metric_type(id).ok_or(Status::NotFound)? {
            MetricType::Counter => stats.add_counter(name, value),
            MetricType::Gauge => stats.set_gauge(name, value),
            MetricType::Histogram => stats.record(name, value),
        }
        Ok(())
    }

    /// `proxy_get_metric`: a histogram has no single value.
    pub(crate) fn get_metric(&self, id: u32) -> HostResult<u64> {
        let stats = self.process.stats.borrow();
        match metric_type(id) {
            Some(MetricType::Counter) => Ok(stats.counter(self.metrics.name(id)?)),
            Some(MetricType::Gauge) => Ok(stats.gauge(self.metrics.name(id)?)),
            Some(MetricType::Histogram) | None => Err(Status::BadArgument),
        }
    }
}
