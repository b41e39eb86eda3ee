//! The emulator as a stage.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::at_once::{Act, AtOnce, Order};
use super::model::{Connect, Scenario};
use super::roles::{End, Side};
use super::stage::{Stage, StageError};
use crate::bytes::Bytes;
use crate::failure::FilterFailure;
use crate::l4::{App, Chunks, Connection};
use crate::module::Module;
use crate::property::{Cluster, Node, UpstreamHost};
use crate::rig::Rig;
use crate::sidecar::{Sidecar, SidecarBuilder, StartError};
use crate::stats::{Series, StatsTag};
use crate::tls::Tls;

/// A scenario's sidecars in the emulator, on a virtual clock.
pub struct Emulated {
    proxies: Proxies,
    pub(crate) connections: HashMap<String, Connection>,
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
        let outbound = builder(scenario, Side::Outbound, module);
        let inbound = builder(scenario, Side::Inbound, module);
        let proxies = match (outbound, inbound) {
            (Some(outbound), Some(inbound)) => {
                let rig = Rig::builder(outbound, inbound);
                let rig = match &scenario.mtls {
                    Some(mtls) => rig.mtls(&mtls.client, &mtls.server),
                    None => rig,
                };
                Proxies::Both(rig.start()?)
            }
            (Some(outbound), None) => {
                Proxies::One(Side::Outbound, alone(scenario, Side::Outbound, outbound)?)
            }
            (None, inbound) => {
                let inbound = inbound.unwrap_or_else(|| Sidecar::inbound(module));
                Proxies::One(Side::Inbound, alone(scenario, Side::Inbound, inbound)?)
            }
        };
        Ok(Self {
            proxies,
            connections: HashMap::new(),
        })
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
        if let Some(size) = connect.chunks {
            opened.chunks(Chunks::Size(size));
        }
        self.connections.insert(connect.connection.clone(), opened);
        Ok(())
    }

    fn perform(&mut self, end: End, act: &Act) -> Result<(), StageError> {
        let app = self.app(&act.connection, end)?;
        if let Some(bytes) = &act.write {
            app.write(bytes.to_vec());
        }
        if act.end {
            app.end();
        }
        if act.reset {
            app.reset();
        }
        Ok(())
    }

    fn at_once(&mut self, at_once: &AtOnce) -> Result<(), StageError> {
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

fn alone(scenario: &Scenario, side: Side, builder: SidecarBuilder) -> Result<Sidecar, StartError> {
    let builder = match (&scenario.mtls, side) {
        (None, _) => builder,
        (Some(mtls), Side::Outbound) => {
            builder.upstream_tls(Tls::mutual(&mtls.client, &mtls.server))
        }
        (Some(mtls), Side::Inbound) => {
            builder.downstream_tls(Tls::mutual(&mtls.server, &mtls.client))
        }
    };
    builder.start()
}

fn builder(scenario: &Scenario, side: Side, module: &Module) -> Option<SidecarBuilder> {
    let spec = scenario.sidecar(side)?;
    let mut builder = match side {
        _ if !spec.filter => Sidecar::passthrough(),
        Side::Outbound => Sidecar::outbound(module),
        Side::Inbound => Sidecar::inbound(module),
    };
    builder = builder
        .upstream_connect_mode(spec.upstream_connect_mode)
        .max_early_data_bytes(spec.max_early_data_bytes);
    if !spec.filter {
        return Some(builder);
    }
    builder = builder
        .node(Node::new(&spec.node.id).metadata(spec.node.metadata.clone()))
        .profile(spec.profile.unwrap_or_default())
        .plugin("", &spec.root_id, "")
        .plugin_config(scenario.configuration(side))
        .upstream_host(UpstreamHost::new("127.0.0.1:8080").metadata(spec.host.metadata.clone()))
        .stats_tags(StatsTag::labels(scenario.labels.iter().map(String::as_str)));
    if let Some(key) = &spec.ja4_filter_state {
        builder = builder.ja4_filter_state(key);
    }
    if let Some(name) = &spec.cluster.name {
        builder = builder.cluster(Cluster::new(name).metadata(spec.cluster.metadata.clone()));
    }
    if let Some(fault) = &spec.fault {
        builder = builder.fault(fault.clone());
    }
    for (key, value) in &spec.filter_state {
        builder = builder.filter_state(key, value);
    }
    for (key, value) in &spec.upstream_filter_state {
        builder = builder.upstream_filter_state(key, value);
    }
    Some(builder)
}
