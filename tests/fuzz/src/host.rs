//! A host that panics where Envoy rejects a call.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use tcp_peer_stats_core::host::{Buffer, ContextId, Host, MetricId, MetricKind, Status};

/// Has properties, metrics and one buffer.
#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) buffer: RefCell<Vec<u8>>,
    pub(crate) metrics: RefCell<Vec<(String, i64)>>,
    pub(crate) published: RefCell<Vec<Vec<u8>>>,
    pub(crate) closed: Cell<bool>,
    /// Shared data by key, with the version of each value.
    shared_data: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
}

impl FakeHost {
    pub(crate) fn set(&mut self, path: &str, value: impl AsRef<[u8]>) {
        self.properties
            .insert(path.to_owned(), value.as_ref().to_vec());
    }

    /// The sum of all metrics with this end of the name.
    pub(crate) fn sum(&self, end: &str) -> i64 {
        let metrics = self.metrics.borrow();
        let matching = metrics.iter().filter(|(name, _)| name.ends_with(end));
        matching.map(|(_, value)| value).sum()
    }
}

impl Host for &FakeHost {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, Status> {
        Ok(self.properties.get(&path.replace('\0', ".")).cloned())
    }

    fn set_property(&self, _: &str, value: &[u8]) -> Result<(), Status> {
        self.published.borrow_mut().push(value.to_vec());
        Ok(())
    }

    fn buffer(&self, _: Buffer, start: usize, len: usize) -> Result<Vec<u8>, Status> {
        let buffer = self.buffer.borrow();
        let rest = buffer.get(start..).ok_or(Status::BAD_ARGUMENT)?;
        Ok(rest.get(..len).unwrap_or(rest).to_vec())
    }

    fn replace_front(&self, _: Buffer, len: usize, with: &[u8]) -> Result<(), Status> {
        let mut buffer = self.buffer.borrow_mut();
        assert!(
            len <= buffer.len(),
            "replaces {len} of {} bytes",
            buffer.len()
        );
        buffer.splice(..len, with.iter().copied());
        Ok(())
    }

    fn define_metric(&self, _: MetricKind, name: &str) -> Result<MetricId, Status> {
        let mut metrics = self.metrics.borrow_mut();
        // Only a termination may define a stat that its series has defined already.
        let defined = metrics.iter().filter(|(defined, _)| defined == name);
        assert!(defined.count() < 2, "{name:?} is defined again and again");
        metrics.push((name.to_owned(), 0));
        Ok(MetricId(u32::try_from(metrics.len()).unwrap() - 1))
    }

    fn increment(&self, id: MetricId, by: i64) -> Result<(), Status> {
        assert_ne!(by, 0, "Envoy rejects an increment of 0");
        let mut metrics = self.metrics.borrow_mut();
        let (name, value) = metrics.get_mut(id.0 as usize).expect("a metric");
        *value += by;
        assert!(*value >= 0, "{name:?} is {value}");
        Ok(())
    }

    fn record(&self, id: MetricId, value: u64) -> Result<(), Status> {
        let mut metrics = self.metrics.borrow_mut();
        metrics.get_mut(id.0 as usize).expect("a metric").1 = value.cast_signed();
        Ok(())
    }

    fn set_tick_period(&self, _: Duration) -> Result<(), Status> {
        Ok(())
    }

    fn now(&self) -> Result<Duration, Status> {
        Ok(Duration::from_secs(1))
    }

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        Ok(self.shared_data.borrow().get(key).cloned())
    }

    fn set_shared_data(&self, key: &str, value: &[u8], version: u32) -> Result<(), Status> {
        let mut shared_data = self.shared_data.borrow_mut();
        let (stored, current) = shared_data.entry(key.to_owned()).or_default();
        if version != 0 && version != *current {
            return Err(Status::CAS_MISMATCH);
        }
        *stored = value.to_vec();
        *current += 1;
        Ok(())
    }

    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Result<Vec<u8>, Status> {
        match name {
            // The value of an expression is its text.
            "expr_create" | "expr_evaluate" => Ok(argument.to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    fn set_effective_context(&self, _: ContextId) -> Result<(), Status> {
        Ok(())
    }

    fn close_connection(&self) -> Result<(), Status> {
        self.closed.set(true);
        Ok(())
    }
}
