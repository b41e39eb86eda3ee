//! The demo with databases: ratings-v2, mongodb-v1, postgresql-v1 and, if MariaDB is installed,
//! mysqldb-v1, each behind an Envoy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::interrupt::Interrupt;
use super::options::Options;
use super::report::{Findings, Kept, Report, Setup};
use super::snapshot::{self, Snapshot};
use super::{Demo, listing, parts, traffic};
use mesh::Scratch;
use mesh::databases::{MariaDb, Mongo, MongoClient, Postgres};
use mesh::error::Result;
use mesh::labels::Reporter;
use mesh::progress::step;
use mesh::prometheus::Prometheus;
use mesh::report::Check;
use mesh::workload::Workload;
use mesh::{Mesh, Service};

const MONGODB: &str = "mongodb";
const POSTGRESQL: &str = "postgresql";
const MYSQLDB: &str = "mysqldb";

/// The running processes. Dropping it stops them, clients first.
pub(super) struct Stage<'a> {
    client: Option<MongoClient>,
    prometheus: Option<Prometheus>,
    mesh: Mesh,
    mysqldb: Option<MariaDb>,
    postgresql: Postgres,
    _mongodb: Mongo,
    setup: Setup,
    scratch: &'a Scratch,
    interrupt: &'a Interrupt,
    reporting_duration: Duration,
}

impl<'a> Stage<'a> {
    /// Fetches, builds and starts everything, and sends no traffic.
    pub(super) fn start(
        options: &Options,
        scratch: &'a Scratch,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let (wasm, filter_bytes) = parts::build_filter()?;
        interrupt.check()?;
        let envoy = parts::find_envoy(options)?;

        interrupt.check()?;
        let mongodb = Mongo::start(scratch)?;
        step("mongodb-v1", mongodb.kind());
        interrupt.check()?;
        let postgresql = Postgres::start(scratch)?;
        let version = postgresql.query(postgresql.address(), "show server_version")?;
        let version = format!("PostgreSQL {version}");
        step("postgresql-v1", &version);
        interrupt.check()?;
        let mut applications =
            BTreeMap::from([(MONGODB, mongodb.kind().to_owned()), (POSTGRESQL, version)]);
        let mysqldb = if_installed(MariaDb::start(scratch))?;
        if let Some(mysqldb) = &mysqldb {
            let version = mysqldb.query(mysqldb.address(), "select version()")?;
            step("mysqldb-v1", &version);
            applications.insert(MYSQLDB, version);
        }

        interrupt.check()?;
        let reporting_duration = options.reporting_duration;
        let millis = reporting_duration.as_millis();
        let mut mesh = Mesh::builder(&envoy, &wasm)
            .configuration(json!({ "tcp_reporting_duration": format!("{millis}ms") }))
            .settle_limit(Duration::from_secs(20) + 3 * reporting_duration)
            .service(service(MONGODB, 27017, mongodb.address()))
            .service(service(POSTGRESQL, 5432, postgresql.address()));
        if let Some(mysqldb) = &mysqldb {
            mesh = mesh.service(service(MYSQLDB, 3306, mysqldb.address()));
        }
        let mesh = mesh.start(scratch)?;
        for sidecar in mesh.sidecars() {
            let url = sidecar.url("/stats/prometheus");
            step("sidecar", &format!("{}, {url}", sidecar.name()));
        }
        let prometheus = if_installed(Prometheus::start(scratch, mesh.sidecars()))?;
        let setup = Setup {
            envoy: envoy.version,
            envoy_origin: envoy.origin,
            filter: parts::relative(&wasm),
            filter_bytes,
            applications,
            reporting_duration_ms: millis,
        };
        Ok(Self {
            client: None,
            prometheus,
            mesh,
            mysqldb,
            postgresql,
            _mongodb: mongodb,
            setup,
            scratch,
            interrupt,
            reporting_duration,
        })
    }
}

impl Demo for Stage<'_> {
    /// The connection of one client to mongodb stays open.
    fn run_traffic(&mut self) -> Result<Report> {
        let plan = "writes ratings to mongodb, reads them back and stays connected";
        step("ratings-v2", plan);
        let address = self.mesh.address(MONGODB)?;
        let mut client = MongoClient::start(self.scratch, address)?;
        self.interrupt.check()?;
        let address = self.mesh.address(POSTGRESQL)?;
        let mut checks = vec![traffic::load_postgresql(&self.postgresql, address)?];
        self.interrupt.check()?;
        if let Some(mysqldb) = &self.mysqldb {
            let address = self.mesh.address(MYSQLDB)?;
            checks.push(traffic::load_mysqldb(mysqldb, address)?);
            self.interrupt.check()?;
        }
        checks.push(traffic::watch_open_connection(
            &self.mesh,
            MONGODB,
            self.reporting_duration,
            self.interrupt,
        )?);
        client.rest()?;
        self.client = Some(client);

        step("metrics", "waiting for the last reports");
        let snapshot = Snapshot::take(&self.mesh, self.interrupt)?;
        checks.extend(snapshot.checks(&self.mesh)?);
        let console = listing::console(&snapshot, self.prometheus.as_ref(), self.interrupt)?;
        checks.extend(console.check);
        Ok(Report {
            ok: false,
            setup: self.setup.clone(),
            findings: Findings::Databases {
                reporters: snapshot.reporters,
                console: console.listing,
            },
            checks,
            prometheus_text: snapshot.text,
            kept: None,
        })
    }

    fn hang_up(&mut self) -> Result<Vec<Check>> {
        let Some(client) = self.client.take() else {
            return Ok(Vec::new());
        };
        client.finish()?;
        let mut checks = Vec::new();
        for reporter in Reporter::BOTH {
            self.interrupt.check()?;
            let what =
                format!("{reporter}: after ratings-v2 closed its connections, opened = closed");
            let found = snapshot::settle(&self.mesh, reporter, MONGODB)
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

    fn prometheus(&self) -> Option<&Prometheus> {
        self.prometheus.as_ref()
    }

    fn send_traffic(&mut self) -> Result<()> {
        self.mesh.forget();
        if let Some(client) = &mut self.client {
            client.read()?;
        }
        let address = self.mesh.address(POSTGRESQL)?;
        let query = "select repeat('rating ', 500)";
        self.postgresql.query(address, query)?;
        if let Some(mysqldb) = &self.mysqldb {
            mysqldb.query(self.mesh.address(MYSQLDB)?, query)?;
        }
        Ok(())
    }

    fn kept(&self) -> Result<Kept> {
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
        Ok(Kept::new(addresses, self.scratch))
    }
}

fn service(app: &str, port: u16, application: SocketAddr) -> Service {
    Service::new(Workload::bookinfo(app, "v1"), port, application)
}

fn if_installed<T>(part: Result<T>) -> Result<Option<T>> {
    match part {
        Err(error) if error.is_not_installed() => Ok(None),
        other => other.map(Some),
    }
}
