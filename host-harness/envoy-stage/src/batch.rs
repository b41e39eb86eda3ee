//! Many scenarios in the same Envoys, one after the other.
//!
//! The Envoys start once for all scenarios, and a step is over as soon as they are idle: scenarios
//! that are played in this way take milliseconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use envoy_process::mesh_ca::MeshCa;
use envoy_process::{EnvoyBinary, Scratch};
use host_harness::scenario::{ChainFilter, Scenario, Side, SidecarSpec, StageError, Update};
use serde_json::Value;

use crate::apps::Server;
use crate::barrier::{BARRIER, Barrier};
use crate::bootstrap;
use crate::deployed::{Deployed, check_spec, is_updated};
use crate::log::PluginLog;
use crate::proxy::{Proxy, Setup};

/// How often the Envoys of both sides echo, in turns, until they are idle: bytes between them need
/// a turn of both for each way, and a TLS handshake has several.
const ECHOES_UNTIL_IDLE: usize = 14;

/// The CPU time in which an Envoy starts all VMs.
const STARTING: Duration = Duration::from_secs(120);

/// The Envoys of a batch: one for the sidecars of clients, one for those of servers.
pub struct Batch<'a> {
    pub(crate) scenarios: &'a [Scenario],
    pub(crate) wasm: PathBuf,
    pub(crate) sides: Vec<Shared>,
    pub(crate) server: Server,
    _scratch: Scratch,
}

/// The Envoy of all sidecars of a side.
pub(crate) struct Shared {
    pub(crate) side: Side,
    pub(crate) proxy: Proxy,
    pub(crate) log: PluginLog,
    barrier: Barrier,
    pub(crate) members: BTreeMap<usize, Member>,
}

/// The sidecar of a scenario.
pub(crate) struct Member {
    entrance: SocketAddr,
    deployed: Deployed,
    /// The names of its plugins.
    pub(crate) plugins: Vec<String>,
}

impl<'a> Batch<'a> {
    /// Starts Envoys with the sidecars of all scenarios. The names of clusters and plugins must
    /// differ between the scenarios, and the nodes must not. A plugin's root id must be its name:
    /// Envoy logs the lines of a root under the one, those of a stream under the other.
    ///
    /// # Errors
    /// A node is not that of the other scenarios, or an Envoy does not start. The message has the end
    /// of its log.
    pub fn start(
        binary: &EnvoyBinary,
        wasm: &Path,
        scenarios: &'a [Scenario],
    ) -> Result<Self, StageError> {
        let scratch = Scratch::new("batch").map_err(StageError::new)?;
        let ca = MeshCa::create(&scratch.path().join("ca")).map_err(StageError::new)?;
        let server = Server::start().map_err(StageError::new)?;
        let mut batch = Self {
            scenarios,
            wasm: wasm.to_owned(),
            sides: Vec::new(),
            server,
            _scratch: scratch,
        };
        for side in [Side::Inbound, Side::Outbound] {
            let shared = batch.start_side(side, binary, &ca)?;
            batch.sides.extend(shared);
        }
        Ok(batch)
    }

    fn start_side(
        &self,
        side: Side,
        binary: &EnvoyBinary,
        ca: &MeshCa,
    ) -> Result<Option<Shared>, StageError> {
        let server = self.server.address().map_err(StageError::new)?;
        let mut specs = self.scenarios.iter();
        let Some(first) = specs.find_map(|scenario| scenario.sidecar(side)) else {
            return Ok(None);
        };
        let mut setup = Setup {
            node: bootstrap::node(first),
            stats_tags: Vec::new(),
            listeners: Vec::new(),
            updatable: Vec::new(),
            clusters: Vec::new(),
            starting: Some(STARTING),
        };
        let mut members = BTreeMap::new();
        for (at, scenario) in self.scenarios.iter().enumerate() {
            let Some(spec) = scenario.sidecar(side) else {
                continue;
            };
            check_spec(spec, binary)?;
            let upstream = self.entrance(at).unwrap_or(server);
            check_member(scenario, spec, &setup.node)?;
            let deployed = Deployed::new(scenario, side, name(at), upstream, ca)?;
            let parts = deployed.parts(scenario, spec, &self.wasm);
            setup.clusters.extend(parts.clusters());
            match is_updated(scenario, side) {
                true => setup.updatable.push(parts.listener()),
                false => setup.listeners.push(parts.listener()),
            }
            members.insert(at, (deployed, plugins(spec)));
        }
        let proxy = Proxy::start(binary, &side.to_string(), setup, self._scratch.path());
        let proxy = proxy.map_err(StageError::new)?;
        let addresses = proxy.envoy.listeners().map_err(StageError::new)?;
        let address = |name: &str| {
            let found = addresses.get(name).copied();
            found.ok_or_else(|| StageError::new(format!("there is no listener {name}")))
        };
        let with_address = |(at, (deployed, plugins))| {
            let entrance = address(&name(at))?;
            let member = Member {
                entrance,
                deployed,
                plugins,
            };
            Ok((at, member))
        };
        let members: Result<_, StageError> = members.into_iter().map(with_address).collect();
        Ok(Some(Shared {
            side,
            members: members?,
            log: PluginLog::open(&proxy.envoy).map_err(StageError::new)?,
            barrier: Barrier::connect(address(BARRIER)?).map_err(StageError::new)?,
            proxy,
        }))
    }

    /// The listener that a client of the scenario connects to, among the sides that have started.
    pub(crate) fn entrance(&self, at: usize) -> Option<SocketAddr> {
        let last = self.sides.iter().rev();
        let mut members = last.filter_map(|shared| shared.members.get(&at));
        members.next().map(|member| member.entrance)
    }

    /// Waits until both Envoys are idle.
    pub(crate) fn settle(&mut self) -> Result<(), StageError> {
        for _ in 0..ECHOES_UNTIL_IDLE {
            for shared in &mut self.sides {
                shared.barrier.echo().map_err(StageError::new)?;
            }
        }
        Ok(())
    }
}

impl Shared {
    /// Updates the listener of a scenario.
    pub(crate) fn update(
        &mut self,
        at: usize,
        scenario: &Scenario,
        wasm: &Path,
        update: &Update,
    ) -> Result<(), StageError> {
        let member = self.members.get_mut(&at);
        let member = member.ok_or_else(|| StageError::no_sidecar(self.side))?;
        member
            .deployed
            .update(&mut self.proxy, scenario, wasm, update)
    }
}

/// Checks that the bootstrap of the batch is right for this scenario too.
fn check_member(scenario: &Scenario, spec: &SidecarSpec, node: &Value) -> Result<(), StageError> {
    let differs = |what: &str| {
        let name = &scenario.name;
        Err(StageError::new(format!(
            "scenario {name:?} cannot be in this batch, whose Envoys have {what}: play it alone"
        )))
    };
    if bootstrap::node(spec) != *node {
        return differs(&format!("the node {node}"));
    }
    match scenario.labels.is_empty() {
        true => Ok(()),
        false => differs("no `labels`"),
    }
}

/// The name of the listener of the scenario at this position.
fn name(at: usize) -> String {
    format!("scenario{at}")
}

/// The names of the plugins of a sidecar.
fn plugins(spec: &SidecarSpec) -> Vec<String> {
    let chains = spec.listener_chains();
    let filters = chains.iter().flat_map(|chain| &chain.filters);
    let names = filters.filter_map(|filter| match filter {
        ChainFilter::Wasm(wasm) => Some(wasm.name.clone()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_a_batch_has_the_node_of_the_batch() {
        let checked = |keys: &str| {
            let text = format!("name: one\ninbound: {{ {keys} }}\nsteps: []\n");
            let scenario = Scenario::parse(&text).map_err(StageError::new)?;
            let spec = scenario.sidecar(Side::Inbound);
            let spec = spec.ok_or_else(|| StageError::no_sidecar(Side::Inbound))?;
            check_member(&scenario, spec, &bootstrap::node(&SidecarSpec::default()))
        };
        assert!(checked("").is_ok());
        let other = checked("node: { id: other }");
        assert!(other.is_err_and(|error| error.to_string().contains("\"one\"")));
        assert!(checked("node: { metadata: { a: b } }").is_err());
    }
}
