//! One scenario of a batch while it is played.

use std::collections::HashMap;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use host_harness::scenario::{
    Act, AtOnce, Connect, End, Scenario, Side, Stage, StageError, Update,
};
use host_harness::{FilterFailure, Series};

use crate::apps::App;
use crate::batch::{Batch, Shared};
use crate::connection::{Connection, by_connection};

/// A scenario that is played in the Envoys of a batch. It has only its own log lines, each with the
/// name of the plugin in front, and all series of the Envoys.
pub struct Program<'b, 'a> {
    batch: &'b mut Batch<'a>,
    scenario: &'a Scenario,
    at: usize,
    connections: HashMap<String, Connection>,
    /// The names of the connections, in the order of their opening.
    names: Vec<String>,
    logged: HashMap<Side, Vec<String>>,
}

impl<'b, 'a> Program<'b, 'a> {
    /// Begins to play the scenario at this position of the batch.
    ///
    /// # Errors
    /// There is no such scenario, or an Envoy has ended.
    pub fn start(batch: &'b mut Batch<'a>, at: usize) -> Result<Self, StageError> {
        let scenario = batch.scenarios.get(at);
        let scenario = scenario.ok_or_else(|| StageError::new("there is no such scenario"))?;
        // Ends the events of the previous scenario.
        batch.settle()?;
        while batch
            .server
            .accept(Duration::ZERO, || true)
            .map_err(StageError::new)?
            .is_some()
        {}
        Ok(Self {
            batch,
            scenario,
            at,
            connections: HashMap::new(),
            names: Vec::new(),
            logged: HashMap::new(),
        })
    }

    /// Checks that the Envoys are running.
    ///
    /// # Errors
    /// An Envoy has ended. The message has the end of its log.
    pub fn check(&mut self) -> Result<(), StageError> {
        let mut sides = self.batch.sides.iter_mut();
        sides.try_for_each(|shared| shared.proxy.envoy.check().map_err(StageError::new))
    }

    /// Waits until the Envoys are idle, then accepts the connections to the server application. The
    /// first one is that of the connection with this name, unless it has one.
    fn settle(&mut self, first: Option<&str>) -> Result<(), StageError> {
        self.batch.settle()?;
        let order = first
            .into_iter()
            .map(str::to_owned)
            .chain(self.names.clone());
        let mut is_greeted = false;
        for name in order {
            let Some(connection) = self.connections.get_mut(&name) else {
                continue;
            };
            let was_served = connection.is_served();
            let accepted = connection.accept(&self.batch.server, Duration::ZERO);
            accepted.map_err(StageError::new)?;
            is_greeted |= !was_served && connection.is_served();
        }
        match is_greeted {
            true => self.batch.settle(),
            false => Ok(()),
        }
    }

    fn app(&self, connection: &str, end: End) -> Result<Option<&App>, StageError> {
        let found = self.connections.get(connection);
        let connection = found.ok_or_else(|| StageError::no_connection(connection))?;
        Ok(connection.app(end))
    }

    fn shared(&mut self, side: Side) -> Result<&mut Shared, StageError> {
        let at = self.at;
        let mut sides = self.batch.sides.iter_mut();
        let found = sides.find(|shared| shared.side == side && shared.members.contains_key(&at));
        found.ok_or_else(|| StageError::no_sidecar(side))
    }

    fn act(&mut self, acts: &[(End, &Act)]) -> Result<(), StageError> {
        let acts = by_connection(acts);
        for (name, own) in &acts {
            let found = self.connections.get_mut(*name);
            let connection = found.ok_or_else(|| StageError::no_connection(name))?;
            connection.act(own)?;
        }
        self.settle(acts.first().map(|(name, _)| *name))
    }
}

impl Stage for Program<'_, '_> {
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError> {
        let entrance = self.batch.entrance(self.at);
        let entrance = entrance.ok_or_else(|| StageError::new("no sidecar"))?;
        let client = TcpStream::connect(entrance).map_err(StageError::new)?;
        let connection = Connection::new(client, connect).map_err(StageError::new)?;
        self.names.push(connect.connection.clone());
        self.connections
            .insert(connect.connection.clone(), connection);
        self.settle(Some(&connect.connection))
    }

    fn perform(&mut self, end: End, act: &Act) -> Result<(), StageError> {
        self.act(&[(end, act)])
    }

    fn at_once(&mut self, at_once: &AtOnce) -> Result<(), StageError> {
        self.act(&at_once.acts().collect::<Vec<_>>())
    }

    fn advance(&mut self, by: Duration) {
        thread::sleep(by);
        // An Envoy that has ended shows in the next step.
        let _settled = self.settle(None);
    }

    fn update(&mut self, update: &Update) -> Result<(), StageError> {
        let (at, scenario) = (self.at, self.scenario);
        let wasm = self.batch.wasm.clone();
        let shared = self.shared(update.side)?;
        shared.update(at, scenario, &wasm, update)?;
        self.settle(None)
    }

    fn drain(&mut self, side: Side) -> Result<(), StageError> {
        self.shared(side)?.proxy.drain()?;
        self.settle(None)
    }

    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError> {
        let app = self.app(connection, end)?;
        Ok(app.map(App::received).unwrap_or_default())
    }

    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError> {
        Ok(self.app(connection, end)?.is_some_and(App::ended))
    }

    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError> {
        let metrics = self.shared(side)?.proxy.envoy.metrics();
        let metrics = metrics.map_err(StageError::new)?;
        Ok(metrics.iter().map(crate::stage::series).collect())
    }

    /// Fails: Envoy's log does not name the filter that failed.
    fn failures(&mut self) -> Result<Vec<(Side, FilterFailure)>, StageError> {
        Err(StageError::new(
            "the scenarios of a batch share an Envoy, whose log does not name the filter that failed: play the scenario alone",
        ))
    }

    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError> {
        let at = self.at;
        let shared = self.shared(side)?;
        let plugins = shared.members.get(&at).map(|member| member.plugins.clone());
        let mut new = Vec::new();
        for plugin in plugins.unwrap_or_default() {
            let lines = shared.log.take_numbered(&plugin).map_err(StageError::new)?;
            new.extend(
                lines
                    .into_iter()
                    .map(|(at, line)| (at, format!("{plugin}: {line}"))),
            );
        }
        new.sort();
        let logged = self.logged.entry(side).or_default();
        logged.extend(new.into_iter().map(|(_, line)| line));
        Ok(logged.clone())
    }
}
