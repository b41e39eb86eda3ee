//! The emulator as a stage.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::at_once::{Act, AtOnce, Order};
use super::interleaving::{Event, Interleaving};
use super::model::{Connect, Scenario, Update};
use super::proxy::builder;
use super::roles::{End, Side};
use super::stage::{Stage, StageError};
use crate::bytes::Bytes;
use crate::failure::FilterFailure;
use crate::l4::{App, Chance, Chances, Chunks, Connection, Link};
use crate::module::Module;
use crate::rig::Rig;
use crate::sidecar::{Sidecar, StartError};
use crate::stats::Series;

/// A scenario's sidecars in the emulator, on a virtual clock.
pub struct Emulated {
    proxies: Proxies,
    pub(crate) connections: HashMap<String, Connection>,
    chances: Chances,
}

enum Proxies {
    Both(Rig),
    One(Side, Sidecar),
}

impl Emulated {
    /// Starts the scenario's sidecars with this filter.
    ///
    /// # Errors
    /// The filter does not start, for example because it rejects its configuration.
    pub fn start(scenario: &Scenario, module: &Module) -> Result<Self, StartError> {
        let outbound = builder(scenario, Side::Outbound, module)?;
        let inbound = builder(scenario, Side::Inbound, module)?;
        let proxies = match (outbound, inbound) {
            (Some(outbound), Some(inbound)) => {
                Proxies::Both(Rig::builder(outbound, inbound).start()?)
            }
            (Some(outbound), None) => Proxies::One(Side::Outbound, outbound.start()?),
            (None, inbound) => {
                let inbound = inbound.unwrap_or_else(|| Sidecar::inbound(module));
                Proxies::One(Side::Inbound, inbound.start()?)
            }
        };
        Ok(Self {
            proxies,
            connections: HashMap::new(),
            chances: Chances::default(),
        })
    }

    /// Sets what happens between two proxies, from now on, in new connections.
    pub fn chances(&mut self, chances: Chances) {
        self.chances = chances;
    }

    /// Returns the sidecars, for data outside of scenarios: traces, fuel, memory.
    pub fn sidecars(&self) -> Vec<(Side, &Sidecar)> {
        match &self.proxies {
            Proxies::Both(rig) => {
                vec![
                    (Side::Outbound, &rig.outbound),
                    (Side::Inbound, &rig.inbound),
                ]
            }
            Proxies::One(side, sidecar) => vec![(*side, sidecar)],
        }
    }

    /// The number of contexts in all sidecars, roots included.
    pub(crate) fn context_count(&self) -> usize {
        let sidecars = self.sidecars().into_iter();
        sidecars.map(|(_, sidecar)| sidecar.context_count()).sum()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        match &self.proxies {
            Proxies::Both(rig) => rig.advance(time),
            Proxies::One(_, sidecar) => sidecar.advance(time),
        }
    }

    fn app(&self, connection: &str, end: End) -> Result<&App, StageError> {
        let found = self.connections.get(connection);
        let connection = found.ok_or_else(|| StageError::no_connection(connection))?;
        Ok(match end {
            End::Client => &connection.client,
            End::Server => &connection.server,
        })
    }

    /// Performs the actions on a connection in this order.
    fn interleave(&mut self, at_once: &AtOnce, order: Interleaving) -> Result<(), StageError> {
        let acts = |wanted| at_once.acts().filter(move |(end, _)| *end == wanted);
        let (mut clients, mut servers) = (acts(End::Client), acts(End::Server));
        let name = at_once.acts().next().map(|(_, act)| act.connection.clone());
        let name = name.unwrap_or_default();
        let held = self.connections.get(&name).cloned();
        let held = held.ok_or_else(|| StageError::no_connection(&name))?;
        held.hold();
        let mut done = Ok(());
        for event in order.events() {
            let act = match event {
                Event::Client => clients.next(),
                Event::Server => servers.next(),
                Event::Onward | Event::Back => None,
            };
            if let Some((end, act)) = act {
                done = done.and_then(|()| self.perform(end, act));
            }
            match event {
                Event::Client => held.deliver(Link::FromClient),
                Event::Server => held.deliver(Link::FromServer),
                Event::Onward => held.deliver(Link::Onward),
                Event::Back => held.deliver(Link::Back),
            }
        }
        held.release();
        done
    }

    /// The order of events if what a proxy sends for the one action is still in transit when it sees
    /// the other one.
    fn in_transit_together(&self, at_once: &AtOnce) -> Option<Interleaving> {
        use Event::{Back, Client, Onward, Server};
        let is_several = matches!(self.proxies, Proxies::Both(_));
        let events: &[Event] = match (at_once.order(), is_several) {
            (Order::ClientFirst, true) => &[Client, Onward, Server, Back],
            (Order::ServerFirst, true) => &[Server, Back, Client, Onward],
            (Order::Crossing, true) => &[Client, Server, Back, Onward],
            (Order::ClientFirst, false) => &[Client, Server],
            (Order::ServerFirst, false) => &[Server, Client],
            _ => return None,
        };
        let has_both = at_once.counts() == Some([1, 1]);
        let happens = has_both && self.chances.happens(Chance::Crossing);
        happens.then(|| events.iter().copied().collect())
    }

    /// Checks that the server application has this connection, or that it is over: then what the
    /// server does is lost.
    fn check_served(&self, connection: &str) -> Result<(), StageError> {
        let client = self.app(connection, End::Client)?;
        let is_over = client.saw_end() || client.saw_close();
        match is_over || self.reached_server(connection) {
            true => Ok(()),
            false => Err(StageError::no_server()),
        }
    }

    fn reached_server(&self, connection: &str) -> bool {
        let found = self.connections.get(connection);
        found.is_some_and(Connection::reached_server)
    }

    fn sidecar(&self, side: Side) -> Result<&Sidecar, StageError> {
        match (&self.proxies, side) {
            (Proxies::Both(rig), Side::Outbound) => Ok(&rig.outbound),
            (Proxies::Both(rig), Side::Inbound) => Ok(&rig.inbound),
            (Proxies::One(only, sidecar), side) if *only == side => Ok(sidecar),
            (Proxies::One(..), side) => Err(StageError::no_sidecar(side)),
        }
    }
}

impl Stage for Emulated {
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError> {
        let greeting = connect.greeting.as_ref().map(Bytes::to_vec);
        let opened = match (&self.proxies, greeting) {
            (Proxies::Both(rig), None) => rig.connect(),
            (Proxies::Both(rig), Some(greeting)) => rig.connect_greeted(greeting),
            (Proxies::One(_, sidecar), None) => sidecar.connect(),
            (Proxies::One(_, sidecar), Some(greeting)) => sidecar.connect_greeted(greeting),
        };
        opened.chances(self.chances.clone());
        if let Some(size) = connect.chunks {
            opened.chunks(Chunks::Size(size));
        }
        self.connections.insert(connect.connection.clone(), opened);
        Ok(())
    }

    fn perform(&mut self, end: End, act: &Act) -> Result<(), StageError> {
        let app = self.app(&act.connection, end)?;
        if end == End::Server && !self.reached_server(&act.connection) {
            return self.check_served(&act.connection);
        }
        if let Some(bytes) = &act.write {
            app.write(bytes.to_vec());
        }
        if act.end {
            app.end();
        }
        if act.close {
            app.close();
        }
        if act.reset {
            app.reset();
        }
        Ok(())
    }

    fn at_once(&mut self, at_once: &AtOnce) -> Result<(), StageError> {
        let mut acts = at_once.acts().filter(|(end, _)| *end == End::Server);
        acts.try_for_each(|(_, act)| self.check_served(&act.connection))?;
        drop(acts);
        if let Order::Interleaved(interleaving) = at_once.order() {
            return self.interleave(at_once, interleaving);
        }
        if let Some(interleaving) = self.in_transit_together(at_once) {
            return self.interleave(at_once, interleaving);
        }
        let is_held = matches!(at_once.order(), Order::Crossing | Order::BeforeHandshake);
        let names = at_once.acts().map(|(_, act)| act.connection.as_str());
        let names: BTreeSet<_> = names.filter(|_| is_held).collect();
        let held: Vec<_> = names
            .into_iter()
            .filter_map(|name| self.connections.get(name).cloned())
            .collect();
        held.iter().for_each(Connection::hold);
        let mut acts = at_once.acts();
        let done = acts.try_for_each(|(end, act)| self.perform(end, act));
        held.iter().for_each(Connection::release);
        done
    }

    fn advance(&mut self, by: Duration) {
        self.pass(by);
    }

    fn update(&mut self, update: &Update) -> Result<(), StageError> {
        let sidecar = self.sidecar(update.side)?;
        let updated = sidecar.update_plugin(update.filter, update.bytes());
        updated.map_err(StageError::new)
    }

    fn drain(&mut self, side: Side) -> Result<(), StageError> {
        self.sidecar(side)?.finish_draining();
        Ok(())
    }

    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError> {
        Ok(self.app(connection, end)?.received())
    }

    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError> {
        let app = self.app(connection, end)?;
        Ok(app.saw_end() || app.saw_close())
    }

    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError> {
        Ok(self.sidecar(side)?.series())
    }

    fn failures(&mut self) -> Result<Vec<(Side, FilterFailure)>, StageError> {
        let sidecars = self.sidecars().into_iter();
        let failures = sidecars.flat_map(|(side, sidecar)| {
            let failures = sidecar.failures().into_iter();
            failures.map(move |failure| (side, failure))
        });
        Ok(failures.collect())
    }

    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError> {
        Ok(self
            .sidecar(side)?
            .logs()
            .into_iter()
            .map(|line| line.message)
            .collect())
    }
}
