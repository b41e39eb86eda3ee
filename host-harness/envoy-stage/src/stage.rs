//! A scenario's sidecars as real Envoys.

use std::collections::HashMap;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use envoy_process::mesh_ca::{Identity, MeshCa};
use envoy_process::{Envoy, EnvoyBinary, Scratch, exposition};
use host_harness::scenario::{Act, AtOnce, Connect, End, Scenario, Side, Stage, StageError};
use host_harness::{ConnectMode, FilterFailure, Series};

use crate::apps::{App, Server};
use crate::bootstrap::{ALIVE, LISTENER, Parts};
use crate::connection::Connection;
use crate::failures;
use crate::start::StartError;

/// The CPU time that an Envoy may use in its start, for each MiB of the filter and beside it. V8 needs
/// less than three seconds to compile one MiB.
const STARTING: Duration = Duration::from_secs(6);

/// The time limit of an expectation, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time in which the proxies connect to the server after the client's bytes, unless a filter
/// holds them.
const CONNECTING: Duration = Duration::from_secs(2);

/// The time limit for the last callbacks after the end of a scenario. Longer than the watchdog's, so
/// that it tells of a callback that hangs.
const SETTLING: Duration = Duration::from_secs(15);
const POLLING: Duration = Duration::from_millis(50);
/// The time in which a worker answers that does not hang.
const ANSWER: Duration = Duration::from_secs(2);

/// The CPU time that an Envoy with this filter may use in its start.
fn starting(wasm: &Path) -> Result<Duration, StageError> {
    let size = fs::metadata(wasm).map_err(StageError::new)?.len();
    let mebibytes = u32::try_from(size >> 20).unwrap_or(u32::MAX);
    Ok(STARTING.saturating_mul(mebibytes.saturating_add(1)))
}

/// A scenario's sidecars as real Envoys, with sockets as applications.
pub struct Envoys {
    envoys: Vec<(Side, Envoy)>,
    entrance: SocketAddr,
    server: Server,
    connections: HashMap<String, Connection>,
    /// A proxy connects after the first bytes.
    is_lazy: bool,
    _scratch: Scratch,
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
        let scratch = Scratch::new("scenario").map_err(StageError::new)?;
        let wasm = &binary_module(wasm, &scratch)?;
        let ca = MeshCa::create(&scratch.path().join("ca")).map_err(StageError::new)?;
        let server = Server::start().map_err(StageError::new)?;
        let mut entrance = server.address().map_err(StageError::new)?;
        let mut envoys = Vec::new();
        let starting = starting(wasm)?;
        // The server's sidecar first: a sidecar's bootstrap has the address of the next one.
        for side in [Side::Inbound, Side::Outbound] {
            let Some(spec) = scenario.sidecar(side) else {
                continue;
            };
            let seeded = !spec.filter_state.is_empty() || !spec.upstream_filter_state.is_empty();
            if seeded || spec.fault.is_some() {
                let only = "real Envoys do not support `filter_state` and `fault`: play it in the emulator";
                return Err(StageError::new(only).into());
            }
            if let Some(profile) = spec.profile
                && binary.version.parse() != Ok(profile)
            {
                let version = &binary.version;
                let other = format!(
                    "the scenario is for Envoy {profile}, and this is {version}: play it in the emulator or in that version"
                );
                return Err(StageError::new(other).into());
            }
            let identity = identity(scenario, side, &ca)?;
            let parts = Parts {
                scenario,
                side,
                spec,
                wasm,
                upstream: entrance,
                identity: identity.as_ref(),
            };
            let bootstrap = parts.document();
            let name = side.to_string();
            let folder = scratch.path();
            let envoy = Envoy::start_within(starting, binary, &name, &bootstrap, 1, folder);
            let envoy = envoy.map_err(StartError::of)?;
            entrance = envoy.listener(LISTENER).map_err(StartError::of)?;
            envoys.push((side, envoy));
        }
        Ok(Self {
            envoys,
            entrance,
            server,
            connections: HashMap::new(),
            is_lazy: [Side::Outbound, Side::Inbound].into_iter().any(|side| {
                let spec = scenario.sidecar(side);
                spec.is_some_and(|spec| spec.upstream_connect_mode == ConnectMode::OnDownstreamData)
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
            let envoys = &mut self.envoys;
            accept(connection, &self.server, envoys, within).map_err(failed)?;
            connection.act(&own)?;
            let has_written = own.iter().any(|(_, act)| act.write.is_some());
            let within = if has_written {
                CONNECTING
            } else {
                Duration::ZERO
            };
            accept(connection, &self.server, envoys, within).map_err(failed)?;
        }
        Ok(())
    }

    fn envoy(&self, side: Side) -> Result<&Envoy, StageError> {
        let found = self.envoys.iter().find(|(of, _)| *of == side);
        found
            .map(|(_, envoy)| envoy)
            .ok_or_else(|| StageError::no_sidecar(side))
    }
}

impl Stage for Envoys {
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError> {
        let client = TcpStream::connect(self.entrance).map_err(StageError::new)?;
        let mut connection = Connection::new(client, connect).map_err(StageError::new)?;
        if !self.is_lazy {
            let accepted = accept(&mut connection, &self.server, &mut self.envoys, PATIENCE);
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

    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError> {
        let app = self.app(connection, end)?;
        Ok(app.map(App::received).unwrap_or_default())
    }

    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError> {
        Ok(self.app(connection, end)?.is_some_and(App::ended))
    }

    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError> {
        let metrics = self.envoy(side)?.metrics().map_err(StageError::new)?;
        Ok(metrics.iter().map(series).collect())
    }

    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError> {
        let log = self.envoy(side)?.log_text().map_err(StageError::new)?;
        Ok(log.lines().map(str::to_owned).collect())
    }

    fn failures(&mut self) -> Result<Vec<(Side, FilterFailure)>, StageError> {
        let mut all = Vec::new();
        for (side, envoy) in &mut self.envoys {
            let failures = failures::of(envoy)?.into_iter();
            all.extend(failures.map(|failure| (*side, failure)));
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
        let is_settled = |envoy: &Envoy| answers(envoy) && active(envoy) <= open;
        while started.elapsed() < SETTLING
            && !self.envoys.iter().all(|(_, envoy)| is_settled(envoy))
            && !failures::any(&mut self.envoys)
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
    envoys: &mut [(Side, Envoy)],
    within: Duration,
) -> io::Result<()> {
    const LOOK: Duration = Duration::from_secs(1);
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_over = connection.accept(server, left.min(LOOK))?;
        if is_over || left <= LOOK || failures::any(envoys) {
            return Ok(());
        }
    }
}

/// Whether the worker answers a connection.
fn answers(envoy: &Envoy) -> bool {
    let answer = || -> io::Result<usize> {
        let address = envoy.listener(ALIVE).map_err(io::Error::other)?;
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.read(&mut [0])
    };
    answer().is_ok()
}

/// The number of open downstream connections of the listener; 0 if Envoy does not tell.
fn active(envoy: &Envoy) -> u64 {
    let stats = envoy.get("/stats?filter=downstream_cx_active");
    let stats = stats.unwrap_or_default();
    let counts = stats.lines().filter_map(|line| line.split_once(": "));
    let own =
        counts.filter(|(name, _)| name.starts_with("listener.127") && !name.contains("worker"));
    own.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
}

/// The module in the binary format, which is all that Envoy reads.
fn binary_module(wasm: &Path, scratch: &Scratch) -> Result<PathBuf, StageError> {
    let bytes = wat::parse_file(wasm).map_err(StageError::new)?;
    let path = scratch.path().join("filter.wasm");
    fs::write(&path, bytes).map_err(StageError::new)?;
    Ok(path)
}

fn identity(scenario: &Scenario, side: Side, ca: &MeshCa) -> Result<Option<Identity>, StageError> {
    let Some(mtls) = &scenario.mtls else {
        return Ok(None);
    };
    let san = match side {
        Side::Outbound => &mtls.client,
        Side::Inbound => &mtls.server,
    };
    ca.issue_for_uri(&side.to_string(), san)
        .map(Some)
        .map_err(StageError::new)
}

fn series(series: &exposition::Series) -> Series {
    Series {
        name: series.name.clone(),
        labels: series.labels.clone().into_iter().collect(),
        value: series.value as u64,
    }
}
