//! The cast: ratings-v2 behind one Envoy, mongodb-v1 and postgresql-v1 behind their own.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::interrupt::Interrupt;
use super::options::Options;
use super::progress::step;
use super::report::{Check, Kept, Report, Setup};
use super::{checks, listing};
use crate::databases::{Mongo, MongoClient, Postgres};
use crate::error::{Context, Result};
use crate::labels::Reporter;
use crate::mesh::{Counts, Mesh, Service};
use crate::poll::{self, Look};
use crate::process;
use crate::prometheus::Prometheus;
use crate::tools::EnvoyBinary;
use crate::wasm;
use crate::workload::Workload;
use crate::workspace::{self, Scratch};

const MONGODB: &str = "mongodb";
const POSTGRESQL: &str = "postgresql";
/// In how many reports of an open connection the demo waits to see it move.
const INTERVALS: usize = 3;
/// Rows that `pgbench --initialize` makes per unit of scale.
const PGBENCH_ROWS: &str = "100000";

/// Everything that runs. Dropping it stops it, clients first.
pub(super) struct Stage<'a> {
    client: Option<MongoClient>,
    prometheus: Option<Prometheus>,
    mesh: Mesh,
    postgresql: Postgres,
    _mongodb: Mongo,
    setup: Setup,
    scratch: &'a Scratch,
    interrupt: &'a Interrupt,
    reporting_duration: Duration,
}

impl<'a> Stage<'a> {
    /// Fetches, builds and starts everything but the traffic.
    pub(super) fn set(
        options: &Options,
        scratch: &'a Scratch,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        step("filter", "building it with `cargo wasm`");
        let wasm = wasm::build()?;
        let filter_bytes = fs::metadata(&wasm)
            .context(|| format!("cannot read {}", wasm.display()))?
            .len();
        let filter = wasm
            .strip_prefix(workspace::root())
            .unwrap_or(&wasm)
            .display()
            .to_string();
        step(
            "",
            &format!("{filter}, {} KiB", filter_bytes.div_ceil(1024)),
        );

        interrupt.check()?;
        let envoy = EnvoyBinary::find(options.envoy_version.as_deref())?;
        step("Envoy", &format!("{} ({})", envoy.version, envoy.origin));

        interrupt.check()?;
        let mongodb = Mongo::start(scratch)?;
        step("mongodb-v1", mongodb.kind());
        interrupt.check()?;
        let postgresql = Postgres::start(scratch)?;
        let version = postgresql_version(&postgresql)?;
        step("postgresql-v1", &version);

        interrupt.check()?;
        let reporting_duration = options.reporting_duration;
        let millis = reporting_duration.as_millis();
        let mesh = Mesh::builder(&envoy, &wasm)
            .configuration(json!({ "tcp_reporting_duration": format!("{millis}ms") }))
            .settle_limit(Duration::from_secs(20) + 3 * reporting_duration)
            .service(Service::new(
                Workload::bookinfo(MONGODB, "v1"),
                27017,
                mongodb.address(),
            ))
            .service(Service::new(
                Workload::bookinfo(POSTGRESQL, "v1"),
                5432,
                postgresql.address(),
            ))
            .start(scratch)?;
        for sidecar in mesh.sidecars() {
            step(
                "sidecar",
                &format!("{}, {}", sidecar.name(), sidecar.url("/stats/prometheus")),
            );
        }
        let prometheus = match Prometheus::start(scratch, mesh.sidecars()) {
            Err(error) if error.is_not_installed() => None,
            other => Some(other?),
        };
        let setup = Setup {
            envoy: envoy.version,
            envoy_origin: envoy.origin,
            filter,
            filter_bytes,
            mongodb: mongodb.kind().to_owned(),
            postgresql: version,
            reporting_duration_ms: millis,
        };
        Ok(Self {
            client: None,
            prometheus,
            mesh,
            postgresql,
            _mongodb: mongodb,
            setup,
            scratch,
            interrupt,
            reporting_duration,
        })
    }

    /// The traffic, and what came of it. One client is still connected to mongodb afterwards.
    pub(super) fn play(&mut self) -> Result<Report> {
        step(
            "ratings-v2",
            "writes ratings to mongodb, reads them back and stays connected",
        );
        let address = self.mesh.address(MONGODB)?;
        let mut client = MongoClient::start(self.scratch, address)?;
        self.interrupt.check()?;
        let mut checks = vec![self.load_postgresql()?];
        self.interrupt.check()?;
        checks.push(self.watch_open_connection()?);
        client.rest()?;
        self.client = Some(client);

        step("metrics", "waiting for the last reports");
        let snapshot = checks::Snapshot::take(&self.mesh, self.interrupt)?;
        checks.extend(snapshot.checks(&self.mesh)?);
        let console = listing::console(&snapshot, self.prometheus.as_ref(), self.interrupt)?;
        checks.extend(console.check);
        Ok(Report {
            ok: false,
            setup: self.setup.clone(),
            reporters: snapshot.reporters,
            console: console.listing,
            checks,
            prometheus_text: snapshot.text,
            kept: None,
        })
    }

    /// Lets the connected client hang up and checks that every connection is then reported as closed.
    pub(super) fn hang_up(&mut self) -> Result<Vec<Check>> {
        let Some(client) = self.client.take() else {
            return Ok(Vec::new());
        };
        client.finish()?;
        let mut checks = Vec::new();
        for reporter in Reporter::BOTH {
            self.interrupt.check()?;
            let what = format!("{reporter}: after ratings-v2 hung up, opened = closed");
            let found = checks::settle(&self.mesh, reporter, MONGODB)
                .and_then(|()| self.mesh.reported(reporter, MONGODB))?;
            let detail = format!("{} opened, {} closed", found.opened, found.closed);
            checks.push(Check::new(
                what,
                found.open() == 0 && found.opened > 0,
                detail,
            ));
        }
        Ok(checks)
    }

    /// What there is to look at, and how to end it.
    pub(super) fn kept(&self) -> Result<Kept> {
        let mut addresses = BTreeMap::new();
        for sidecar in self.mesh.sidecars() {
            addresses.insert(format!("Envoy {}", sidecar.name()), sidecar.url("/"));
        }
        for service in self.mesh.services() {
            let address = self.mesh.address(service)?;
            addresses.insert(format!("{service} as ratings-v2"), address.to_string());
        }
        if let Some(prometheus) = &self.prometheus {
            addresses.insert("Prometheus".to_owned(), prometheus.url());
        }
        Ok(Kept {
            addresses,
            files: self.scratch.path().display().to_string(),
            cleanup: format!("kill {}", std::process::id()),
        })
    }

    fn load_postgresql(&self) -> Result<Check> {
        step("ratings-v2", "loads postgresql with pgbench");
        let address = self.mesh.address(POSTGRESQL)?;
        let client = |program: &str, arguments: &[&str]| -> Command {
            let mut command = self.postgresql.client(program, address);
            command.args(arguments);
            command
        };
        process::run(
            "pgbench --initialize",
            client("pgbench", &["--initialize", "--quiet"]),
        )?;
        let load = ["--client=8", "--transactions=50", "--no-vacuum"];
        let bench = process::run("pgbench", client("pgbench", &load))?;
        let bench = String::from_utf8_lossy(&bench.stdout).into_owned();
        let done = "number of transactions actually processed: ";
        let done = bench
            .lines()
            .find_map(|line| line.strip_prefix(done))
            .unwrap_or_default();
        let count = [
            "--tuples-only",
            "--no-align",
            "--command=select count(*) from pgbench_accounts",
        ];
        let rows = process::run("psql", client("psql", &count))?;
        let rows = String::from_utf8_lossy(&rows.stdout).trim().to_owned();
        Ok(Check::new(
            "postgresql did all of pgbench's work",
            done == "400/400" && rows == PGBENCH_ROWS,
            format!("{done} transactions, {rows} rows"),
        ))
    }

    /// Watches the reports of mongodb's open connections move.
    fn watch_open_connection(&self) -> Result<Check> {
        step(
            "ratings-v2",
            "goes on reading from mongodb over its open connections",
        );
        let mut moves: Vec<Counts> = Vec::new();
        let limit = Duration::from_secs(10) + 10 * self.reporting_duration;
        let seen = poll::until("reports of an open connection", limit, || {
            self.interrupt.check()?;
            let now = self.mesh.reported(Reporter::Destination, MONGODB)?;
            if now.open() > 0 && moves.last().is_none_or(|last| last.received < now.received) {
                moves.push(now);
            }
            let received: Vec<_> = moves
                .iter()
                .map(|counts| counts.received.to_string())
                .collect();
            Ok(if moves.len() > INTERVALS {
                Look::Found(received.join(" → "))
            } else {
                Look::NotYet(received.join(" → "))
            })
        });
        let what = "mongodb: an open connection is reported as it goes on";
        Ok(match seen {
            Ok(received) => Check::new(what, true, format!("received bytes {received}")),
            Err(error) if checks::is_timeout(&error) => Check::new(what, false, error.to_string()),
            Err(error) => return Err(error),
        })
    }
}

fn postgresql_version(postgresql: &Postgres) -> Result<String> {
    let mut version = postgresql.client("psql", postgresql.address());
    version.args([
        "--tuples-only",
        "--no-align",
        "--command=show server_version",
    ]);
    let output = process::run("psql", version)?;
    Ok(format!(
        "PostgreSQL {}",
        String::from_utf8_lossy(&output.stdout).trim()
    ))
}
