//! How a scenario went.

use super::ChaosError;
use crate::l4::{App, Connection};
use crate::module::Module;
use crate::scenario::{Act, Bytes, Emulated, End, Failure, Scenario, Side, Step, play};
use crate::sidecar::StartError;
use crate::trace::HostcallCounts;
use std::collections::BTreeMap;
use std::time::Duration;

/// Long enough for two reports at the usual interval of 15 seconds.
const AFTERWARDS: Duration = Duration::from_secs(31);

/// What happened to the connections and what the filters did.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) connections: BTreeMap<String, Ends>,
    /// Host calls, where there is a filter.
    pub(super) calls: BTreeMap<Side, HostcallCounts>,
    pub(super) injected: u64,
    /// The host has told an untruth, which is worse than to refuse.
    pub(super) lied: bool,
    /// Stream contexts that are left when everything is closed.
    pub(super) left: usize,
    pub(super) trap: Option<String>,
}

/// What the applications of a connection wrote and got.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) client: Share,
    pub(super) server: Share,
}

#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) written: Vec<u8>,
    pub(super) received: Vec<u8>,
    /// After each step: whether it saw the other side's end, and the connection's.
    pub(super) seen: Vec<(bool, bool)>,
}

/// How far it came.
pub(super) enum Ended {
    Played(Course),
    NotStarted(StartError),
}

impl Course {
    /// Plays all steps but expectations, closes everything, and lets time pass.
    pub(super) fn play(
        scenario: &Scenario,
        module: &Module,
        look: &mut dyn FnMut(&mut Emulated),
    ) -> Result<Ended, ChaosError> {
        let mut stage = match Emulated::start(scenario, module) {
            Ok(stage) => stage,
            Err(error) => return Ok(Ended::NotStarted(error)),
        };
        let contexts = stage.context_count();
        let mut course = Self::default();
        for (step, number) in scenario.steps.iter().zip(1..) {
            if matches!(step, Step::Expect(_)) {
                continue;
            }
            let failed = |source| Failure::Stage {
                step: number,
                source,
            };
            play(step, &mut stage).map_err(failed)?;
            course.note(step);
            course.look_at(&stage.connections);
            look(&mut stage);
        }
        for connection in stage.connections.values() {
            connection.client.close();
            connection.server.close();
        }
        stage.pass(AFTERWARDS);
        look(&mut stage);
        for (side, sidecar) in stage.sidecars() {
            course.lied |= sidecar.inner().denied();
            course.injected += sidecar.disturbed_hostcalls();
            course.trap = course.trap.or_else(|| sidecar.failure());
            if scenario.sidecar(side).is_some_and(|spec| spec.filter) {
                course.calls.insert(side, sidecar.hostcalls());
            }
        }
        course.left = stage.context_count().saturating_sub(contexts);
        Ok(Ended::Played(course))
    }

    /// Calls of a host function, on both sides.
    pub(super) fn count(&self, function: &str) -> u64 {
        self.calls.values().map(|counts| counts.get(function)).sum()
    }

    fn note(&mut self, step: &Step) {
        match step {
            Step::Connect(connect) => {
                let greeting = connect.greeting.as_ref().map(Bytes::to_vec);
                let mut ends = Ends::default();
                ends.server.written = greeting.unwrap_or_default();
                self.connections.insert(connect.connection.clone(), ends);
            }
            Step::Client(act) => self.wrote(act, End::Client),
            Step::Server(act) => self.wrote(act, End::Server),
            Step::Advance(_) | Step::Expect(_) => {}
        }
    }

    fn wrote(&mut self, act: &Act, end: End) {
        let written = act.write.as_ref().map(Bytes::to_vec).unwrap_or_default();
        if let Some(ends) = self.connections.get_mut(&act.connection) {
            match end {
                End::Client => ends.client.written.extend(written),
                End::Server => ends.server.written.extend(written),
            }
        }
    }

    fn look_at<'a>(&mut self, connections: impl IntoIterator<Item = (&'a String, &'a Connection)>) {
        for (name, connection) in connections {
            if let Some(ends) = self.connections.get_mut(name) {
                ends.client.look_at(&connection.client);
                ends.server.look_at(&connection.server);
            }
        }
    }
}

impl Ends {
    /// An application saw an end of the connection after an earlier step than in the other course.
    pub(super) fn ended_before(&self, other: &Self) -> bool {
        self.client.ended_before(&other.client) || self.server.ended_before(&other.server)
    }
}

impl Share {
    fn look_at(&mut self, app: &App) {
        self.received = app.received();
        self.seen.push((app.saw_end(), app.saw_close()));
    }

    fn ended_before(&self, other: &Self) -> bool {
        let mut steps = self.seen.iter().zip(&other.seen);
        steps.any(|(own, other)| own.0 && !other.0 || own.1 && !other.1)
    }
}
