//! A host for unit tests: it has one data callback's buffer, properties and metrics.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message as _;

use super::calls::{Buffer, ContextId, Host, MetricId, MetricKind};
use super::envoy::SetEnvoyFilterStateArguments;
use super::status::Status;

#[derive(Debug, Default)]
pub(crate) struct FakeHost {
    /// The running callback's buffer.
    pub(crate) data: RefCell<Vec<u8>>,
    pub(crate) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    metrics: RefCell<Vec<(String, u64)>>,
    pub(crate) now: Cell<Duration>,
    /// Shared data by key, with the version of each value.
    pub(crate) shared_data: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    /// How many of the next writes of shared data find it changed.
    pub(crate) cas_mismatches: Cell<u32>,
    pub(crate) tick_period: Cell<Option<Duration>>,
    pub(crate) effective_context: Cell<ContextId>,
    pub(crate) closed: Cell<bool>,
    /// Foreign functions that were called, with their arguments.
    pub(crate) foreign: RefCell<Vec<(String, Vec<u8>)>>,
    /// Hostcalls made so far.
    pub(crate) hostcalls: Cell<u32>,
    /// Answers every hostcall from this one on (counted from 1) with a status.
    pub(crate) fail_from: Cell<Option<(u32, Status)>>,
    /// Answers this one hostcall (counted from 1) with a status.
    pub(crate) fail_only: Cell<Option<(u32, Status)>>,
}

impl FakeHost {
    /// Sets a property; `path` is written with dots between its parts, as `xds.node.id`.
    pub(crate) fn set(&self, path: &str, value: impl AsRef<[u8]>) {
        self.properties
            .borrow_mut()
            .insert(path.to_owned(), value.as_ref().to_vec());
    }

    /// Removes a property.
    pub(crate) fn unset(&self, path: &str) {
        self.properties.borrow_mut().remove(path);
    }

    /// The sum of all stats whose encoded name has all of `parts`.
    pub(crate) fn metric(&self, parts: &[&str]) -> u64 {
        let metrics = self.metrics.borrow();
        let matching = metrics
            .iter()
            .filter(|(name, _)| parts.iter().all(|part| name.contains(part)));
        matching.map(|(_, value)| value).sum()
    }

    /// The ALPN lists that were offered.
    pub(crate) fn offered(&self) -> Vec<String> {
        let calls = self.foreign.borrow();
        let offers = calls
            .iter()
            .filter(|(name, _)| name == "set_envoy_filter_state");
        offers
            .map(|(_, argument)| {
                let argument = SetEnvoyFilterStateArguments::decode(argument.as_slice());
                let argument = argument.expect("a message");
                assert_eq!(argument.path, "envoy.network.application_protocols");
                assert_eq!(argument.span, 2);
                argument.value
            })
            .collect()
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
        let from = self.fail_from.get().filter(|(first, _)| calls >= *first);
        let only = self.fail_only.get().filter(|(only, _)| calls == *only);
        match from.or(only) {
            Some((_, status)) => Err(status),
            None => Ok(()),
        }
    }
}

/// The map whose members are set, as the host hands it over.
fn pairs(properties: &BTreeMap<String, Vec<u8>>, prefix: &str) -> Option<Vec<u8>> {
    let members: Vec<_> = properties
        .iter()
        .filter_map(|(path, value)| Some((path.strip_prefix(prefix)?, value)))
        .collect();
    let len = |len: usize| u32::try_from(len).expect("short").to_le_bytes();
    let mut raw = len(members.len()).to_vec();
    for (key, value) in &members {
        raw.extend(len(key.len()));
        raw.extend(len(value.len()));
    }
    for (key, value) in &members {
        raw.extend([key.as_bytes(), &[0], value, &[0]].concat());
    }
    (!members.is_empty()).then_some(raw)
}

impl Host for &FakeHost {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, Status> {
        match self.call() {
            Err(Status::NOT_FOUND) => return Ok(None),
            called => called?,
        }
        let path = path.replace('\0', ".");
        let properties = self.properties.borrow();
        Ok(match properties.get(&path) {
            Some(value) => Some(value.clone()),
            None => pairs(&properties, &format!("{path}.")),
        })
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

    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Status> {
        self.call()?;
        self.set(name, value);
        Ok(())
    }

    fn define_metric(&self, _: MetricKind, name: &str) -> Result<MetricId, Status> {
        self.call()?;
        let mut metrics = self.metrics.borrow_mut();
        metrics.push((name.to_owned(), 0));
        Ok(MetricId(metrics.len() as u32 - 1))
    }

    fn increment(&self, id: MetricId, by: i64) -> Result<(), Status> {
        self.call()?;
        assert_ne!(by, 0, "Envoy refuses to add 0");
        let value = &mut self.metrics.borrow_mut()[id.0 as usize].1;
        *value = value.checked_add_signed(by).expect("no stat goes below 0");
        Ok(())
    }

    fn record(&self, id: MetricId, value: u64) -> Result<(), Status> {
        self.call()?;
        self.metrics.borrow_mut()[id.0 as usize].1 = value;
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

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        self.call()?;
        Ok(self.shared_data.borrow().get(key).cloned())
    }

    fn set_shared_data(&self, key: &str, value: &[u8], version: u32) -> Result<(), Status> {
        self.call()?;
        if version != 0
            && let Some(left) = self.cas_mismatches.get().checked_sub(1)
        {
            self.cas_mismatches.set(left);
            return Err(Status::CAS_MISMATCH);
        }
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
        self.call()?;
        self.foreign
            .borrow_mut()
            .push((name.to_owned(), argument.to_vec()));
        match name {
            // The token is the text, and its value is the property of that name.
            "expr_create" => Ok(argument.to_vec()),
            "expr_evaluate" => {
                let text = String::from_utf8_lossy(argument).into_owned();
                let value = self.properties.borrow().get(&text).cloned();
                value.ok_or(Status::NOT_FOUND)
            }
            _ => Ok(Vec::new()),
        }
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
