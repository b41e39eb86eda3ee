//! A scenario's sidecars as real Envoys.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use envoy_process::mesh_ca::{Identity, MeshCa};
use envoy_process::{EnvoyBinary, Scratch, exposition};
use host_harness::scenario::{
    Act, AtOnce, Connect, End, Scenario, Side, SidecarSpec, Stage, StageError, Step, Update,
};
use host_harness::{ConnectMode, Profile, Series};

use crate::apps::{App, Server};
use crate::bootstrap::{self, LISTENER, Parts};
use crate::connection::Connection;
use crate::proxy::{Proxy, Setup};

/// The time limit of an expectation, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time in which the proxies connect to the server after the client's bytes, unless a filter
/// holds them.
const CONNECTING: Duration = Duration::from_secs(2);

/// A scenario's sidecars as real Envoys, with sockets as applications.
pub struct Envoys {
    scenario: Scenario,
    wasm: PathBuf,
    sides: Vec<SideOf>,
    entrance: SocketAddr,
    server: Server,
    connections: HashMap<String, Connection>,
    /// A proxy connects after the first bytes.
    is_lazy: bool,
    _scratch: Scratch,
}

/// A sidecar.
struct SideOf {
    side: Side,
    proxy: Proxy,
    upstream: SocketAddr,
    identity: Option<Identity>,
    /// The configurations of wasm filters that were updated.
    updated: BTreeMap<usize, Vec<u8>>,
}

impl Envoys {
    /// Starts the scenario's Envoys with this filter.
    ///
    /// # Errors
    /// An Envoy does not start, for example because the filter rejects its configuration.
    pub fn start(
        scenario: &Scenario,
        binary: &EnvoyBinary,
        wasm: &Path,
    ) -> Result<Self, StageError> {
        let scratch = Scratch::new("scenario").map_err(StageError::new)?;
        let ca = MeshCa::create(&scratch.path().join("ca")).map_err(StageError::new)?;
        let server = Server::start().map_err(StageError::new)?;
        let mut entrance = server.address().map_err(StageError::new)?;
        let mut sides = Vec::new();
        // The server's sidecar first: a sidecar's bootstrap has the address of the next one.
        for side in [Side::Inbound, Side::Outbound] {
            let Some(spec) = scenario.sidecar(side) else {
                continue;
            };
            only_in_the_emulator(spec)?;
            let identity = identity(scenario, side, &ca, &side.to_string())?;
            let updated = BTreeMap::new();
            let parts = Parts {
                name: LISTENER.to_owned(),
                scenario,
                side,
                spec,
                wasm,
                updated: &updated,
                upstream: entrance,
                identity: identity.as_ref(),
            };
            let (listeners, updatable) = match is_updated(scenario, side) {
                true => (Vec::new(), vec![parts.listener()]),
                false => (vec![parts.listener()], Vec::new()),
            };
            let setup = Setup {
                node: bootstrap::node(spec),
                stats_tags: bootstrap::tags(scenario),
                listeners,
                updatable,
                clusters: parts.clusters(),
            };
            let proxy = Proxy::start(binary, &side.to_string(), setup, scratch.path())?;
            let upstream = std::mem::replace(&mut entrance, proxy.listener(LISTENER)?);
            sides.push(SideOf {
                side,
                proxy,
                upstream,
                identity,
                updated,
            });
        }
        Ok(Self {
            scenario: scenario.clone(),
            wasm: wasm.to_owned(),
            sides,
            entrance,
            server,
            connections: HashMap::new(),
            is_lazy: [Side::Outbound, Side::Inbound].into_iter().any(|side| {
                scenario.sidecar(side).is_some_and(|spec| {
                    let is_inspected = spec.listener_chains().len() > 1;
                    spec.upstream_connect_mode == ConnectMode::OnDownstreamData || is_inspected
                })
            }),
            _scratch: scratch,
        })
    }

    /// The application at an end of a connection, if the proxies have connected to it.
    fn app(&self, connection: &str, end: End) -> Result<Option<&App>, StageError> {
        let found = self.connections.get(connection);
        let connection = found.ok_or_else(|| StageError::no_connection(connection))?;
        Ok(connection.app(end))
    }

    /// Performs the actions of each connection, then waits for the connection to the server.
    fn act(&mut self, acts: &[(End, &Act)]) -> Result<(), StageError> {
        let mut names: Vec<_> = acts.iter().map(|(_, act)| &act.connection).collect();
        names.dedup();
        for name in names {
            let own = acts.iter().filter(|(_, act)| act.connection == *name);
            let own: Vec<_> = own.copied().collect();
            let found = self.connections.get_mut(name);
            let connection = found.ok_or_else(|| StageError::no_connection(name))?;
            let within = match own.iter().any(|(end, _)| *end == End::Server) {
                true => PATIENCE,
                false => Duration::ZERO,
            };
            let failed = StageError::new;
            connection.accept(&self.server, within).map_err(failed)?;
            connection.act(&own)?;
            let has_written = own.iter().any(|(_, act)| act.write.is_some());
            let within = if has_written {
                CONNECTING
            } else {
                Duration::ZERO
            };
            connection.accept(&self.server, within).map_err(failed)?;
        }
        Ok(())
    }

    fn proxy(&self, side: Side) -> Result<&Proxy, StageError> {
        let found = self.sides.iter().find(|of| of.side == side);
        found
            .map(|of| &of.proxy)
            .ok_or_else(|| StageError::no_sidecar(side))
    }
}

impl Stage for Envoys {
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError> {
        let client = TcpStream::connect(self.entrance).map_err(StageError::new)?;
        let mut connection = Connection::new(client, connect).map_err(StageError::new)?;
        if !self.is_lazy {
            let accepted = connection.accept(&self.server, PATIENCE);
            accepted.map_err(StageError::new)?;
        }
        self.connections
            .insert(connect.connection.clone(), connection);
        Ok(())
    }

    fn perform(&mut self, end: End, act: &Act) -> Result<(), StageError> {
        self.act(&[(end, act)])
    }

    fn at_once(&mut self, at_once: &AtOnce) -> Result<(), StageError> {
        self.act(&at_once.acts().collect::<Vec<_>>())
    }

    fn advance(&mut self, by: Duration) {
        thread::sleep(by);
    }

    fn update(&mut self, update: &Update) -> Result<(), StageError> {
        let spec = self.scenario.sidecar(update.side);
        let of = self.sides.iter_mut().find(|of| of.side == update.side);
        let (Some(of), Some(spec)) = (of, spec) else {
            return Err(StageError::no_sidecar(update.side));
        };
        of.updated.insert(update.filter, update.bytes());
        let parts = Parts {
            name: LISTENER.to_owned(),
            scenario: &self.scenario,
            side: update.side,
            spec,
            wasm: &self.wasm,
            updated: &of.updated,
            upstream: of.upstream,
            identity: of.identity.as_ref(),
        };
        of.proxy.update(parts.listener())
    }

    fn drain(&mut self, side: Side) -> Result<(), StageError> {
        let found = self.sides.iter_mut().find(|of| of.side == side);
        found
            .ok_or_else(|| StageError::no_sidecar(side))?
            .proxy
            .drain()
    }

    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError> {
        let app = self.app(connection, end)?;
        Ok(app.map(App::received).unwrap_or_default())
    }

    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError> {
        Ok(self.app(connection, end)?.is_some_and(App::ended))
    }

    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError> {
        let metrics = self.proxy(side)?.envoy.metrics().map_err(StageError::new)?;
        Ok(metrics.iter().map(series).collect())
    }

    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError> {
        let log = self
            .proxy(side)?
            .envoy
            .log_text()
            .map_err(StageError::new)?;
        Ok(log.lines().map(str::to_owned).collect())
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

/// Checks that real Envoys have everything that a sidecar asks for.
pub(crate) fn only_in_the_emulator(spec: &SidecarSpec) -> Result<(), StageError> {
    let seeded = !spec.filter_state.is_empty() || !spec.upstream_filter_state.is_empty();
    match spec.profile != Profile::Xds || seeded || spec.fault.is_some() {
        true => Err(StageError::new(
            "real Envoys do not support `profile: legacy`, `filter_state` and `fault`: play it in the emulator",
        )),
        false => Ok(()),
    }
}

/// Whether a step updates the listener of this side.
pub(crate) fn is_updated(scenario: &Scenario, side: Side) -> bool {
    let mut steps = scenario.steps.iter();
    steps.any(|step| matches!(step, Step::Update(update) if update.side == side))
}

/// The certificate of a side, in a folder of this name.
pub(crate) fn identity(
    scenario: &Scenario,
    side: Side,
    ca: &MeshCa,
    folder: &str,
) -> Result<Option<Identity>, StageError> {
    let Some(mtls) = &scenario.mtls else {
        return Ok(None);
    };
    let names: Vec<_> = mtls.names(side).iter().map(String::as_str).collect();
    ca.issue_for_uris(folder, &names)
        .map(Some)
        .map_err(StageError::new)
}

pub(crate) fn series(series: &exposition::Series) -> Series {
    Series {
        name: series.name.clone(),
        labels: series.labels.clone().into_iter().collect(),
        value: series.value as u64,
    }
}
