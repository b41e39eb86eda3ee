//! A host for unit tests: holds one data callback's buffer, answers properties, counts metrics.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::{Buffer, ContextId, Host, MetricId, Status};

#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    /// The running callback's buffer.
    pub(crate) data: RefCell<Vec<u8>>,
    pub(crate) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    metrics: RefCell<Vec<(String, u64)>>,
    pub(crate) now: Cell<Duration>,
    pub(crate) tick_period: Cell<Option<Duration>>,
    pub(crate) effective_context: Cell<ContextId>,
    pub(crate) closed: Cell<bool>,
    /// Foreign functions that were called, with their arguments.
    pub(crate) foreign: RefCell<Vec<(String, Vec<u8>)>>,
    /// Hostcalls made so far.
    pub(crate) hostcalls: Cell<u32>,
    /// Answers every hostcall from this one on (counted from 1) with a status.
    pub(crate) fail_from: Cell<Option<(u32, Status)>>,
}

impl FakeHost {
    /// Sets a property; `path` is written with dots between its parts, as `xds.node.id`.
    pub(crate) fn set(&self, path: &str, value: impl AsRef<[u8]>) {
        self.properties
            .borrow_mut()
            .insert(path.to_owned(), value.as_ref().to_vec());
    }

    /// The sum of all stats whose encoded name has all of `parts`.
    pub(crate) fn metric(&self, parts: &[&str]) -> u64 {
        let metrics = self.metrics.borrow();
        let matching = metrics
            .iter()
            .filter(|(name, _)| parts.iter().all(|part| name.contains(part)));
        matching.map(|(_, value)| value).sum()
    }

    /// The encoded names of all stats.
    pub(crate) fn stats(&self) -> Vec<String> {
        self.metrics
            .borrow()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn call(&self) -> Result<(), Status> {
        let calls = self.hostcalls.get() + 1;
        self.hostcalls.set(calls);
        match self.fail_from.get() {
            Some((first, status)) if calls >= first => Err(status),
            _ => Ok(()),
        }
    }
}

impl Host for &FakeHost {
    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Status> {
        self.call()?;
        Ok(self.properties.borrow().get(&path.join(".")).cloned())
    }

    fn buffer(&self, _: Buffer, start: usize, len: usize) -> Result<Vec<u8>, Status> {
        self.call()?;
        let data = self.data.borrow();
        let rest = data.get(start..).ok_or(Status::BAD_ARGUMENT)?;
        Ok(rest[..len.min(rest.len())].to_vec())
    }

    fn replace_front(&self, _: Buffer, len: usize, with: &[u8]) -> Result<(), Status> {
        self.call()?;
        let mut data = self.data.borrow_mut();
        let len = len.min(data.len());
        data.splice(..len, with.iter().copied());
        Ok(())
    }

    fn define_counter(&self, name: &str) -> Result<MetricId, Status> {
        self.call()?;
        let mut metrics = self.metrics.borrow_mut();
        metrics.push((name.to_owned(), 0));
        Ok(MetricId(metrics.len() as u32 - 1))
    }

    fn increment(&self, id: MetricId, by: u64) -> Result<(), Status> {
        self.call()?;
        assert_ne!(by, 0, "Envoy refuses to add 0");
        self.metrics.borrow_mut()[id.0 as usize].1 += by;
        Ok(())
    }

    fn set_tick_period(&self, period: Duration) -> Result<(), Status> {
        self.call()?;
        self.tick_period.set(Some(period));
        Ok(())
    }

    fn now(&self) -> Result<Duration, Status> {
        self.call()?;
        Ok(self.now.get())
    }

    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Result<Vec<u8>, Status> {
        self.call()?;
        self.foreign
            .borrow_mut()
            .push((name.to_owned(), argument.to_vec()));
        Ok(Vec::new())
    }

    fn set_effective_context(&self, id: ContextId) -> Result<(), Status> {
        self.call()?;
        self.effective_context.set(id);
        Ok(())
    }

    fn close_connection(&self) -> Result<(), Status> {
        self.call()?;
        self.closed.set(true);
        Ok(())
    }
}
