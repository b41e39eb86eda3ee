//! One run of a scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bytes::Bytes;
use crate::failure::FilterFailure;
use crate::l4::{App, Connection};
use crate::module::Module;
use crate::scenario::{Act, Emulated, End, Failure, Scenario, Side, Step, play};
use crate::sidecar::StartError;
use crate::trace::HostcallCounts;

/// The record of one run of a scenario.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) connections: BTreeMap<String, ConnectionRecord>,
    /// Host calls of the sidecars with a filter.
    pub(super) calls: BTreeMap<Side, HostcallCounts>,
    /// The number of host calls with an injected fault.
    pub(super) injected: u64,
    /// Fault injection hid a property that may exist.
    pub(super) hid_property: bool,
    /// Stream contexts that remain after all connections are closed.
    pub(super) remaining_contexts: usize,
    /// The first failure of a filter.
    pub(super) failure: Option<FilterFailure>,
}

/// The record of a connection's applications.
#[derive(Debug, Default)]
pub(super) struct ConnectionRecord {
    pub(super) client: AppRecord,
    pub(super) server: AppRecord,
}

/// The record of an application at one end of a connection.
#[derive(Debug, Default)]
pub(super) struct AppRecord {
    pub(super) written: Vec<u8>,
    pub(super) received: Vec<u8>,
    /// After each step: whether it saw the end of the other half, and of the connection.
    pub(super) seen: Vec<(bool, bool)>,
}

/// The end of a run.
pub(super) enum Ended {
    Played(Run),
    NotStarted(StartError),
}

impl Run {
    /// Plays all steps but expectations, closes all connections, and lets the settle time pass.
    /// Calls `observe` after each step and after the end.
    pub(super) fn play(
        scenario: &Scenario,
        module: &Module,
        settle: Duration,
        observe: &mut dyn FnMut(&mut Emulated),
    ) -> Result<Ended, Failure> {
        let mut stage = match Emulated::start(scenario, module) {
            Ok(stage) => stage,
            Err(error) => return Ok(Ended::NotStarted(error)),
        };
        let contexts = stage.context_count();
        let mut run = Self::default();
        for (step, number) in scenario.steps.iter().zip(1..) {
            if matches!(step, Step::Expect(_)) {
                continue;
            }
            play(step, &mut stage).map_err(|source| Failure::Stage {
                step: number,
                source,
            })?;
            run.record_step(step);
            run.record_connections(&stage.connections);
            observe(&mut stage);
        }
        for connection in stage.connections.values() {
            connection.client.close();
            connection.server.close();
        }
        stage.pass(settle);
        observe(&mut stage);
        for (side, sidecar) in stage.sidecars() {
            run.hid_property |= sidecar.envoy().hid_property();
            run.injected += sidecar.injected_faults();
            run.failure = run.failure.or_else(|| sidecar.failure());
            if scenario.sidecar(side).is_some_and(|spec| spec.filter) {
                run.calls.insert(side, sidecar.hostcalls());
            }
        }
        run.remaining_contexts = stage.context_count().saturating_sub(contexts);
        Ok(Ended::Played(run))
    }

    /// The calls of a host function on both sides.
    pub(super) fn count(&self, function: &str) -> u64 {
        self.calls.values().map(|counts| counts.get(function)).sum()
    }

    fn record_step(&mut self, step: &Step) {
        match step {
            Step::Connect(connect) => {
                let greeting = connect.greeting.as_ref().map(Bytes::to_vec);
                let mut record = ConnectionRecord::default();
                record.server.written = greeting.unwrap_or_default();
                self.connections.insert(connect.connection.clone(), record);
            }
            _ => {
                for (end, act) in step.acts() {
                    self.record_write(act, end);
                }
            }
        }
    }

    fn record_write(&mut self, act: &Act, end: End) {
        let written = act.write.as_ref().map(Bytes::to_vec).unwrap_or_default();
        if let Some(record) = self.connections.get_mut(&act.connection) {
            match end {
                End::Client => record.client.written.extend(written),
                End::Server => record.server.written.extend(written),
            }
        }
    }

    fn record_connections<'a>(
        &mut self,
        connections: impl IntoIterator<Item = (&'a String, &'a Connection)>,
    ) {
        for (name, connection) in connections {
            if let Some(record) = self.connections.get_mut(name) {
                record.client.update(&connection.client);
                record.server.update(&connection.server);
            }
        }
    }
}

impl ConnectionRecord {
    /// An application saw an end after an earlier step than in the other run.
    pub(super) fn ended_before(&self, other: &Self) -> bool {
        self.client.ended_before(&other.client) || self.server.ended_before(&other.server)
    }

    pub(super) fn of(&self, end: End) -> &AppRecord {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    pub(super) fn across(&self, end: End) -> &AppRecord {
        match end {
            End::Client => &self.server,
            End::Server => &self.client,
        }
    }
}

impl AppRecord {
    fn update(&mut self, app: &App) {
        self.received = app.received();
        self.seen.push((app.saw_end(), app.saw_close()));
    }

    fn ended_before(&self, other: &Self) -> bool {
        let mut steps = self.seen.iter().zip(&other.seen);
        steps.any(|(own, other)| own.0 && !other.0 || own.1 && !other.1)
    }
}
