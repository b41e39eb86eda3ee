//! Callbacks and host calls of a VM: counters always, a full trace on request.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::abi::{CallbackOutcome, Hostcall, Status};
use crate::clock::Clock;

/// One event of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The host called the filter.
    Callback {
        /// The export, e.g. `proxy_on_downstream_data`.
        name: &'static str,
        /// The arguments; the first is the context id.
        arguments: Vec<u32>,
        /// The return value, if the callback has one and did not trap.
        result: Option<u32>,
        /// The reason, if the callback trapped.
        trap: Option<String>,
        /// Fuel that it consumed; 0 on back ends without metering.
        fuel: u64,
        /// Allocations of the filter, those for results of host calls included; 0 unless the filter
        /// counts them.
        allocations: u64,
    },
    /// The filter called the host, during the callback that follows in the trace.
    Hostcall {
        /// The import, e.g. `proxy_get_property`.
        name: &'static str,
        /// A description of the arguments.
        detail: String,
        /// The status that the host returned.
        status: Status,
    },
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// The time of the clock, since the Unix epoch.
    pub at: Duration,
    /// The number of the event among those of all sidecars on this clock.
    pub number: u64,
    /// The event.
    pub event: Event,
}

/// The number of contexts, roots included, that the host created and deleted. The difference is the
/// number of contexts that the filter's SDK keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
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

/// The number of calls of each host function.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HostcallCounts(Vec<u64>);

impl HostcallCounts {
    /// Returns the calls of one function by its import name; 0 for an unknown name.
    pub fn get(&self, name: &str) -> u64 {
        self.iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, count)| count)
    }

    /// Returns the number of all calls.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the calls since an earlier reading.
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

    /// Returns the functions that were called, with their counts.
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
    /// Properties that the filter requested and that do not exist.
    pub(crate) missing_properties: BTreeSet<String>,
    /// The last host call of the current callback that did not return Ok.
    failed_call: Option<(&'static str, Status)>,
    recording: Option<Recording>,
    detail: String,
}

#[derive(Debug)]
struct Recording {
    clock: Clock,
    events: Vec<Moment>,
}

impl Recording {
    fn push(&mut self, event: Event) {
        self.events.push(Moment {
            at: self.clock.now(),
            number: self.clock.next_event(),
            event,
        });
    }
}

impl Trace {
    pub(crate) fn record(&mut self, clock: &Clock) {
        self.recording.get_or_insert_with(|| Recording {
            clock: clock.clone(),
            events: Vec::new(),
        });
    }

    /// Goes on with the recording of a VM that this one replaces.
    pub(crate) fn follow(&mut self, replaced: &mut Self) {
        self.recording = replaced.recording.take();
    }

    /// Removes and returns the events.
    pub(crate) fn take(&mut self) -> Vec<Moment> {
        let recording = self.recording.as_mut();
        recording
            .map(|recording| std::mem::take(&mut recording.events))
            .unwrap_or_default()
    }

    /// Describes the running host call. Without a trace, `describe` is not called.
    pub(crate) fn detail(&mut self, describe: impl FnOnce() -> String) {
        if self.recording.is_some() {
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
            self.failed_call = Some((name, status));
        }
        if let Some(recording) = &mut self.recording {
            recording.push(Event::Hostcall {
                name,
                detail,
                status,
            });
        }
    }

    /// The running callback trapped: returns its last host call that did not return Ok, a possible
    /// cause.
    pub(crate) fn trapped(
        &mut self,
        name: &'static str,
        arguments: Vec<u32>,
        reason: &str,
        fuel: u64,
    ) -> Option<(&'static str, Status)> {
        self.fuel += fuel;
        self.last_fuel = fuel;
        if let Some(recording) = &mut self.recording {
            recording.push(Event::Callback {
                name,
                arguments,
                result: None,
                trap: Some(reason.to_owned()),
                fuel,
                allocations: 0,
            });
        }
        self.failed_call.take()
    }

    pub(crate) fn callback(
        &mut self,
        name: &'static str,
        arguments: Vec<u32>,
        outcome: CallbackOutcome,
    ) {
        match name {
            "proxy_on_context_create" => self.contexts.created += 1,
            "proxy_on_delete" => self.contexts.deleted += 1,
            _ => {}
        }
        self.fuel += outcome.fuel;
        self.last_fuel = outcome.fuel;
        self.allocations += outcome.allocations;
        self.failed_call = None;
        if let Some(recording) = &mut self.recording {
            recording.push(Event::Callback {
                name,
                arguments,
                result: outcome.result,
                trap: None,
                fuel: outcome.fuel,
                allocations: outcome.allocations,
            });
        }
    }
}
