//! What happened between host and filter: counters always, a full trace on request.

use crate::abi::Status;
use crate::hostcalls::Hostcall;
use crate::vm::Outcome;
use std::collections::BTreeSet;
use std::fmt;

/// One step of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The host called the filter.
    Callback {
        /// The export, e.g. `proxy_on_downstream_data`.
        name: &'static str,
        /// Its arguments; the first is the context id.
        arguments: Vec<u32>,
        /// What it returned, if it returns anything and did not trap.
        result: Option<u32>,
        /// Fuel it burned; 0 on back ends that do not meter.
        fuel: u64,
        /// What the filter allocated, what the host handed over included; 0 unless it counts that.
        allocations: u64,
    },
    /// The filter called the host, within the callback that follows it in the trace.
    Hostcall {
        /// The import, e.g. `proxy_get_property`.
        name: &'static str,
        /// The arguments in words.
        detail: String,
        /// What the host answered.
        status: Status,
    },
}

/// How many contexts, roots included, a filter was told to create and to delete. The difference is what its SDK keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContextCounts {
    /// Calls of `proxy_on_context_create`.
    pub created: u64,
    /// Calls of `proxy_on_delete`.
    pub deleted: u64,
}

impl std::iter::Sum for ContextCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, counts| Self {
            created: sum.created + counts.created,
            deleted: sum.deleted + counts.deleted,
        })
    }
}

/// How often each host function was called.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HostcallCounts(Vec<u64>);

impl HostcallCounts {
    /// The calls of one function, by its import name; 0 for one that does not exist.
    pub fn get(&self, name: &str) -> u64 {
        self.iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, count)| count)
    }

    /// All calls.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was added since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.0.iter().copied().chain(std::iter::repeat(0));
        Self(
            self.0
                .iter()
                .zip(before)
                .map(|(now, before)| now - before)
                .collect(),
        )
    }

    /// The functions that were called, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Hostcall::NAMES
            .iter()
            .copied()
            .zip(self.0.iter().copied())
            .filter(|(_, count)| *count > 0)
    }

    fn add(&mut self, call: Hostcall) {
        self.0.resize(Hostcall::NAMES.len(), 0);
        if let Some(count) = self.0.get_mut(call as usize) {
            *count += 1;
        }
    }
}

impl std::iter::Sum for HostcallCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            sum.0.resize(Hostcall::NAMES.len(), 0);
            sum.0
                .iter_mut()
                .zip(counts.0)
                .for_each(|(sum, count)| *sum += count);
            sum
        })
    }
}

impl fmt::Debug for HostcallCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The recorder of one VM.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) counts: HostcallCounts,
    pub(crate) contexts: ContextCounts,
    pub(crate) fuel: u64,
    pub(crate) last_fuel: u64,
    pub(crate) allocations: u64,
    /// Properties that were asked for and not there.
    pub(crate) missing_properties: BTreeSet<String>,
    /// The last host call within the current callback that was not answered with Ok.
    refused: Option<(&'static str, Status)>,
    events: Option<Vec<Event>>,
    detail: String,
}

impl Trace {
    pub(crate) fn record(&mut self) {
        self.events.get_or_insert_default();
    }

    /// The events so far, leaving none.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Describes the host call under way; costs nothing unless a trace is recorded.
    pub(crate) fn detail(&mut self, describe: impl FnOnce() -> String) {
        if self.events.is_some() {
            self.detail = describe();
        }
    }

    pub(crate) fn missing_property(&mut self, path: &str) {
        if !self.missing_properties.contains(path) {
            self.missing_properties.insert(path.to_owned());
        }
    }

    pub(crate) fn hostcall(&mut self, call: Hostcall, status: Status) {
        self.counts.add(call);
        let detail = std::mem::take(&mut self.detail);
        let Some(name) = Hostcall::NAMES.get(call as usize) else {
            return;
        };
        if status != Status::Ok {
            self.refused = Some((name, status));
        }
        if let Some(events) = &mut self.events {
            events.push(Event::Hostcall {
                name,
                detail,
                status,
            });
        }
    }

    /// The callback under way trapped; the host call that may have been too much for it.
    pub(crate) fn trapped(&mut self) -> Option<(&'static str, Status)> {
        self.refused.take()
    }

    pub(crate) fn callback(&mut self, name: &'static str, arguments: Vec<u32>, outcome: Outcome) {
        match name {
            "proxy_on_context_create" => self.contexts.created += 1,
            "proxy_on_delete" => self.contexts.deleted += 1,
            _ => {}
        }
        self.fuel += outcome.fuel;
        self.last_fuel = outcome.fuel;
        self.allocations += outcome.allocations;
        self.refused = None;
        if let Some(events) = &mut self.events {
            events.push(Event::Callback {
                name,
                arguments,
                result: outcome.result,
                fuel: outcome.fuel,
                allocations: outcome.allocations,
            });
        }
    }
}
