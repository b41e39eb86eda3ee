//! A scenario's sidecars as real Envoys.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use envoy_process::mesh_ca::MeshCa;
use envoy_process::{EnvoyBinary, Scratch, exposition};
use host_harness::scenario::{
    Act, AtOnce, Chain, ChainFilter, Connect, End, Scenario, Side, SidecarSpec, Stage, StageError,
    Update,
};
use host_harness::{ConnectMode, FilterFailure, Series};

use crate::apps::{App, Server};
use crate::bootstrap::{self, LISTENER};
use crate::connection::{Connection, by_connection};
use crate::deployed::{Deployed, check_spec, is_updated};
use crate::failures;
use crate::proxy::{Proxy, Setup};
use crate::start::StartError;

/// The CPU time that an Envoy may use in its start, besides compiling modules: ten times what it
/// needs.
const STARTING: Duration = Duration::from_secs(3);

/// The CPU time for compiling one MiB of a module. V8 needs less than half of it.
const COMPILING: Duration = Duration::from_secs(6);

/// The time limit of an expectation, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time in which the proxies connect to the server after the client's bytes, unless a filter
/// holds them.
const CONNECTING: Duration = Duration::from_secs(2);

/// The time limit for the last callbacks after the end of a scenario. Longer than the watchdog's, so
/// that it tells of a callback that hangs.
const SETTLING: Duration = Duration::from_secs(15);
const POLLING: Duration = Duration::from_millis(50);

/// The CPU time that the Envoy of this sidecar may use in its start: each filter has a VM of its own,
/// with the filter under test or its own module.
fn starting(spec: &SidecarSpec, wasm: &Path) -> Result<Duration, StageError> {
    let mut time = STARTING;
    for chain in spec.listener_chains() {
        for filter in &chain.filters {
            let ChainFilter::Wasm(filter) = filter else {
                continue;
            };
            let file = filter.module.as_deref().unwrap_or(wasm);
            let size = fs::metadata(file).map_err(StageError::new)?.len();
            let kibibytes = u32::try_from(size >> 10).unwrap_or(u32::MAX);
            time = time.saturating_add((COMPILING / 1024).saturating_mul(kibibytes));
        }
    }
    Ok(time)
}

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
    deployed: Deployed,
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
    ) -> Result<Self, StartError> {
        Self::start_in(false, scenario, binary, wasm)
    }

    /// The same in Envoys that have played other scenarios of this process, where there are some with
    /// the same node: it takes much less CPU time. For a module in the binary format that does not
    /// fail: Envoy's counters of failures are those of all scenarios.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_shared(
        scenario: &Scenario,
        binary: &EnvoyBinary,
        wasm: &Path,
    ) -> Result<Self, StartError> {
        Self::start_in(true, scenario, binary, wasm)
    }

    fn start_in(
        is_shared: bool,
        scenario: &Scenario,
        binary: &EnvoyBinary,
        wasm: &Path,
    ) -> Result<Self, StartError> {
        let scratch = Scratch::new("scenario").map_err(StageError::new)?;
        let wasm = match is_shared {
            true => wasm.to_owned(),
            false => binary_module(wasm, "filter", &scratch)?,
        };
        let scenario = with_binary_modules(scenario, &scratch)?;
        let ca = MeshCa::create(&scratch.path().join("ca")).map_err(StageError::new)?;
        let server = Server::start().map_err(StageError::new)?;
        let mut entrance = server.address().map_err(StageError::new)?;
        let mut sides = Vec::new();
        // The server's sidecar first: a sidecar's bootstrap has the address of the next one.
        for side in [Side::Inbound, Side::Outbound] {
            let Some(spec) = scenario.sidecar(side) else {
                continue;
            };
            check_spec(spec, binary)?;
            let deployed = Deployed::new(&scenario, side, LISTENER.to_owned(), entrance, &ca)?;
            let parts = deployed.parts(&scenario, spec, &wasm);
            let (listeners, updatable) = match is_updated(&scenario, side) {
                true => (Vec::new(), vec![parts.listener()]),
                false => (vec![parts.listener()], Vec::new()),
            };
            let setup = Setup {
                node: bootstrap::node(spec),
                stats_tags: bootstrap::tags(&scenario),
                listeners,
                updatable,
                clusters: parts.clusters(),
                starting: match is_shared {
                    true => None,
                    false => Some(starting(spec, &wasm)?),
                },
            };
            let proxy = Proxy::start(binary, &side.to_string(), setup, scratch.path())?;
            entrance = proxy.listener(LISTENER)?;
            sides.push(SideOf {
                side,
                proxy,
                deployed,
            });
        }
        Ok(Self {
            is_lazy: [Side::Outbound, Side::Inbound].into_iter().any(|side| {
                scenario.sidecar(side).is_some_and(|spec| {
                    let is_inspected = spec.listener_chains().iter().any(Chain::has_condition);
                    spec.upstream_connect_mode == ConnectMode::OnDownstreamData || is_inspected
                })
            }),
            scenario,
            wasm,
            sides,
            entrance,
            server,
            connections: HashMap::new(),
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
        for (name, own) in by_connection(acts) {
            let found = self.connections.get_mut(name);
            let connection = found.ok_or_else(|| StageError::no_connection(name))?;
            let within = match own.iter().any(|(end, _)| *end == End::Server) {
                true => PATIENCE,
                false => Duration::ZERO,
            };
            let failed = StageError::new;
            let sides = &mut self.sides;
            accept(connection, &self.server, sides, within).map_err(failed)?;
            connection.act(&own)?;
            let has_written = own.iter().any(|(_, act)| act.write.is_some());
            let within = if has_written {
                CONNECTING
            } else {
                Duration::ZERO
            };
            accept(connection, &self.server, sides, within).map_err(failed)?;
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
            let accepted = accept(&mut connection, &self.server, &mut self.sides, PATIENCE);
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
        let found = self.sides.iter_mut().find(|of| of.side == update.side);
        let of = found.ok_or_else(|| StageError::no_sidecar(update.side))?;
        of.deployed
            .update(&mut of.proxy, &self.scenario, &self.wasm, update)
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

    fn failures(&mut self) -> Result<Vec<(Side, FilterFailure)>, StageError> {
        let mut all = Vec::new();
        for of in &mut self.sides {
            let failures = failures::of(&mut of.proxy.envoy)?.into_iter();
            all.extend(failures.map(|failure| (of.side, failure)));
        }
        Ok(all)
    }

    /// Waits until each worker has done what it had to do: it answers another connection, and has
    /// closed what both applications have seen the end of. One that hangs does not, and the watchdog
    /// tells.
    fn settle(&mut self) {
        let started = Instant::now();
        let connections = self.connections.values();
        let open = connections.filter(|connection| connection.is_open());
        let open = open.count() as u64;
        let is_settled = |of: &SideOf| of.proxy.answers() && of.proxy.active() <= open;
        while started.elapsed() < SETTLING
            && !self.sides.iter().all(is_settled)
            && !has_failed(&mut self.sides)
        {
            thread::sleep(POLLING);
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

/// Accepts the server's connection, if it comes within this time. A filter that has failed opens
/// none.
fn accept(
    connection: &mut Connection,
    server: &Server,
    sides: &mut [SideOf],
    within: Duration,
) -> io::Result<()> {
    const LOOK: Duration = Duration::from_secs(1);
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_over = connection.accept(server, left.min(LOOK))?;
        if is_over || left <= LOOK || has_failed(sides) {
            return Ok(());
        }
    }
}

fn has_failed(sides: &mut [SideOf]) -> bool {
    failures::any(sides.iter_mut().map(|of| &mut of.proxy.envoy))
}

/// The module in the binary format, which is all that Envoy reads, in a file of this name.
fn binary_module(module: &Path, name: &str, scratch: &Scratch) -> Result<PathBuf, StageError> {
    let bytes = wat::parse_file(module).map_err(StageError::new)?;
    let path = scratch.path().join(format!("{name}.wasm"));
    fs::write(&path, bytes).map_err(StageError::new)?;
    Ok(path)
}

/// The scenario with all modules that it names in the binary format.
fn with_binary_modules(scenario: &Scenario, scratch: &Scratch) -> Result<Scenario, StageError> {
    let mut scenario = scenario.clone();
    for (at, filter) in scenario.wasm_filters_mut().enumerate() {
        if let Some(module) = &mut filter.module {
            *module = binary_module(module, &format!("module{at}"), scratch)?;
        }
    }
    Ok(scenario)
}

pub(crate) fn series(series: &exposition::Series) -> Series {
    Series {
        name: series.name.clone(),
        labels: series.labels.clone().into_iter().collect(),
        value: series.value as u64,
    }
}
