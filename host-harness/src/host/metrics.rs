//! The metric ids of one VM and Envoy's rules for their use.

use std::collections::HashMap;
use std::rc::Rc;

use super::process::Process;
use crate::abi::{HostResult, MetricType, Status};

/// The low bits of an id are the type of the metric.
const TYPE_MASK: u32 = 3;
const ID_STEP: u32 = 4;

/// The metrics that a VM has defined. Ids belong to the VM, values to the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    process: Rc<Process>,
    names: HashMap<u32, String>,
    /// The number of counters, gauges and histograms.
    defined: [u32; 3],
}

impl Metrics {
    pub(crate) fn new(process: Rc<Process>) -> Self {
        Self {
            process,
            names: HashMap::new(),
            defined: [0; 3],
        }
    }

    /// Defines a metric and returns its id. Every call returns a new id, also for a known name: the
    /// first counter has 4, the next 8, …
    pub(crate) fn define(&mut self, kind: MetricType, name: &str) -> u32 {
        let name = format!("wasmcustom.{name}");
        self.process.stats.borrow_mut().define(kind, &name);
        let [counters, gauges, histograms] = &mut self.defined;
        let count = match kind {
            MetricType::Counter => counters,
            MetricType::Gauge => gauges,
            MetricType::Histogram => histograms,
        };
        *count += 1;
        let id = *count * ID_STEP + kind as u32;
        self.names.insert(id, name);
        id
    }

    /// Adds to a counter or a gauge.
    ///
    /// # Errors
    /// `NotFound` for an unknown id, `BadArgument` for a histogram and for an offset of a counter
    /// that is not positive.
    pub(crate) fn increment(&self, id: u32, offset: i64) -> HostResult {
        let mut stats = self.process.stats.borrow_mut();
        match metric_type(id) {
            Some(MetricType::Counter) => {
                let name = self.name(id)?;
                let offset = u64::try_from(offset).ok().filter(|offset| *offset > 0);
                stats.add_counter(name, offset.ok_or(Status::BadArgument)?);
                Ok(())
            }
            Some(MetricType::Gauge) => {
                stats.add_gauge(self.name(id)?, offset);
                Ok(())
            }
            Some(MetricType::Histogram) | None => Err(Status::BadArgument),
        }
    }

    /// Adds to a counter, sets a gauge, records a sample of a histogram.
    ///
    /// # Errors
    /// `NotFound` for an unknown id.
    pub(crate) fn record(&self, id: u32, value: u64) -> HostResult {
        let name = self.name(id)?;
        let mut stats = self.process.stats.borrow_mut();
        match metric_type(id).ok_or(Status::NotFound)? {
            MetricType::Counter => stats.add_counter(name, value),
            MetricType::Gauge => stats.set_gauge(name, value),
            MetricType::Histogram => stats.record(name, value),
        }
        Ok(())
    }

    /// Returns the value of a counter or a gauge.
    ///
    /// # Errors
    /// `NotFound` for an unknown id, `BadArgument` for a histogram, which has no single value.
    pub(crate) fn get(&self, id: u32) -> HostResult<u64> {
        let stats = self.process.stats.borrow();
        match metric_type(id) {
            Some(MetricType::Counter) => Ok(stats.counter(self.name(id)?)),
            Some(MetricType::Gauge) => Ok(stats.gauge(self.name(id)?)),
            Some(MetricType::Histogram) | None => Err(Status::BadArgument),
        }
    }

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
