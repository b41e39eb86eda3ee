//! The pods of the demo, their traffic, and what their sidecars report.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::exposition::{Exposition, Labels, Series};
use mesh::labels::{self, METRICS, Reporter};
use mesh::progress::say;
use mesh::report::{Check, Reported, checks};
use mesh::tools::daemon;
use mesh::{Counts, Mesh, Scratch, Workload};

use super::database::{Database, Server};
use crate::cluster::{Kubectl, settle};
use crate::error::Result;
use crate::increase::increase;
use crate::kubelet::{Kubelet, Pod};
use crate::overlay::{self, Port};
use crate::run::{ControlPlane, Run};
use crate::workload::{self, in_namespace};

const NAMESPACE: &str = "shop";
const MONGODB: &str = "mongodb";
const MYSQLDB: &str = "mysqldb";
const CLIENT: &str = "ratings-v2";
/// How to get MariaDB, without which the demo has one database.
const MARIADB: &str = "Install it (Debian: `apt install mariadb-server-core mariadb-client-core`) to see it in the table";
/// The visits after the first one.
const VISITS: u32 = 3;
/// Longer than two reporting intervals of the filter.
const SETTLE_LIMIT: Duration = Duration::from_secs(40);

/// The running pods. Dropping it stops their containers and applications.
#[derive(Debug)]
pub(super) struct Bookinfo {
    databases: Vec<Database>,
    client: Pod,
    workload: Workload,
    versions: BTreeMap<String, String>,
}

/// The reports and the checks on them.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) reporters: Vec<Reported>,
    pub(super) checks: Vec<Check>,
}

impl Bookinfo {
    /// Applies Bookinfo's files and the overlay, and runs the pods with their databases.
    pub(super) fn start(run: &Run, control: &mut ControlPlane, scratch: &Scratch) -> Result<Self> {
        let kubelet = &mut control.kubelet;
        let mysqldb = daemon("mariadbd", MARIADB);
        if let Err(missing) = &mysqldb {
            say(&format!("without MariaDB: {missing}"));
        }
        let mysqldb = mysqldb.is_ok();
        deploy(run, kubelet.kubectl(), mysqldb)?;
        run.stages.done("Bookinfo and the overlay are applied");
        let client = pod(run, kubelet, CLIENT)?;
        kubelet.ready(&client)?;
        let mut databases = Vec::new();
        let (mongo_port, sql_port) = (Port::same(27017), Port::same(3306));
        let mongodb = pod(run, kubelet, "mongodb-v1")?;
        let server = mongodb.inside(|| Server::mongo(&run.parts.tools, scratch))?;
        databases.push(database(
            MONGODB, mongodb, server, &client, mongo_port, kubelet,
        )?);
        if mysqldb {
            let mysqldb = pod(run, kubelet, "mysqldb-v1")?;
            let server = mysqldb.inside(|| Server::maria(scratch))?;
            databases.push(database(
                MYSQLDB, mysqldb, server, &client, sql_port, kubelet,
            )?);
        }
        control.istiod.settled(1 + databases.len())?;
        run.stages.done("the databases are ready");
        Ok(Self {
            databases,
            client,
            workload: in_namespace(NAMESPACE, Workload::ratings_v2()),
            versions: BTreeMap::new(),
        })
    }

    /// Visits each database once, then some times more, and checks what these last visits add to
    /// the metrics. The client learns in the first one that the server exchanges metadata.
    pub(super) fn visit(&mut self, run: &Run, scratch: &Scratch) -> Result<Findings> {
        let mut findings = Findings {
            reporters: Vec::new(),
            checks: Vec::new(),
        };
        for database in &self.databases {
            let version = database.version(&self.client)?;
            self.versions.insert(database.service.to_owned(), version);
            database.visit(&self.client, scratch)?;
            let before = Reporter::BOTH.map(|reporter| self.settled(database, reporter, None));
            let [source, destination] = before;
            let before = [source?, destination?];
            for reporter in Reporter::BOTH {
                database.tap(reporter).forget();
            }
            for _ in 0..VISITS {
                database.visit(&self.client, scratch)?;
            }
            let what = format!("{} is visited {} times", database.service, VISITS + 1);
            run.stages.done(&what);
            for (reporter, before) in Reporter::BOTH.into_iter().zip(&before) {
                let after = self.settled(database, reporter, Some(before))?;
                let expected = labels::exchanged(reporter, &self.workload, &database.workload);
                let added = self.reported(database, reporter, increase(before, &after));
                findings.checks.push(checks::counts(&added));
                findings.checks.push(checks::labels(&added, &expected));
                findings
                    .checks
                    .push(principals(database.service, reporter, &after, &expected));
                let all = after.iter().cloned().collect();
                findings
                    .reporters
                    .push(self.reported(database, reporter, all));
            }
            let [near, far] = Reporter::BOTH.map(|reporter| database.tap(reporter).tally());
            findings.checks.push(Check::new(
                format!(
                    "{}: every byte arrived unchanged, in both directions",
                    database.service
                ),
                near.same_bytes(&far) && near.received() > 0 && near.sent() > 0,
                format!(
                    "{} connections, SHA-256 of each at both ends",
                    near.opened()
                ),
            ));
        }
        Ok(findings)
    }

    /// Visits each database once.
    pub(super) fn send_traffic(&self, scratch: &Scratch) -> Result<()> {
        for database in &self.databases {
            database.visit(&self.client, scratch)?;
            for reporter in Reporter::BOTH {
                database.tap(reporter).forget();
            }
        }
        Ok(())
    }

    /// The servers by service.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        self.versions.clone()
    }

    /// All pods.
    pub(super) fn pods(&self) -> Vec<&Pod> {
        let databases = self.databases.iter().map(|database| &database.pod);
        std::iter::once(&self.client).chain(databases).collect()
    }

    /// Waits until the metrics have caught up with the tap since `before`, and scrapes them. If
    /// they do not, the checks fail.
    fn settled(
        &self,
        database: &Database,
        reporter: Reporter,
        before: Option<&Exposition>,
    ) -> Result<Exposition> {
        let selector = Mesh::selector(reporter, database.service);
        let none = Exposition::default();
        let before = before.unwrap_or(&none);
        let what = format!("the metrics of {} having all bytes", database.service);
        let scrape = || self.pod(database, reporter).metrics();
        let mut metrics = scrape()?;
        settle(&what, SETTLE_LIMIT, || {
            metrics = scrape()?;
            let added = Exposition::from(increase(before, &metrics));
            let seen = Counts::seen(&database.tap(reporter).tally());
            Ok(Counts::reported(&added, &selector) == seen && seen.open() == 0)
        })?;
        Ok(metrics)
    }

    fn pod<'a>(&'a self, database: &'a Database, reporter: Reporter) -> &'a Pod {
        match reporter {
            Reporter::Source => &self.client,
            Reporter::Destination => &database.pod,
        }
    }

    fn reported(&self, database: &Database, reporter: Reporter, series: Vec<Series>) -> Reported {
        let selector = Mesh::selector(reporter, database.service);
        let mut metrics = series;
        metrics.retain(|series| METRICS.contains(&series.name.as_str()) && series.has(&selector));
        Reported {
            reporter,
            sidecar: self.pod(database, reporter).name().to_owned(),
            service: database.service.to_owned(),
            seen: Counts::reported(&Exposition::from(metrics.clone()), &[]),
            expected: Counts::seen(&database.tap(reporter).tally()),
            metrics,
        }
    }
}

/// Also the first connection's series have the principals of both ends.
fn principals(service: &str, reporter: Reporter, metrics: &Exposition, expected: &Labels) -> Check {
    let names = ["source_principal", "destination_principal"];
    let selector = Mesh::selector(reporter, service);
    let mut all = 0;
    let mut wrong = Vec::new();
    for series in metrics.iter().filter(|series| series.has(&selector)) {
        if !METRICS.contains(&series.name.as_str()) {
            continue;
        }
        all += 1;
        if names
            .iter()
            .any(|name| series.labels.get(*name) != expected.get(*name))
        {
            wrong.push(series.to_string());
        }
    }
    let what = format!("{service}, {reporter}: both principals in every series");
    let detail = format!("{all} series, {} wrong {}", wrong.len(), wrong.join(" "));
    Check::new(what, all > 0 && wrong.is_empty(), detail.trim_end())
}

/// Applies the files of `envoy-config/` as a user does. MySQL is not in them.
fn deploy(run: &Run, kubectl: &Kubectl, mysqldb: bool) -> Result<()> {
    workload::namespace(kubectl, NAMESPACE)?;
    workload::modules(kubectl, NAMESPACE, &[&run.parts.wasm])?;
    let overlay = overlay::path("exchange");
    kubectl.run(&["apply", "--namespace", NAMESPACE, "--kustomize", &overlay])?;
    for file in ["mongodb", "ratings-v2", "destination-rules"] {
        let file = format!("--filename=envoy-config/bookinfo/{file}.yaml");
        kubectl.run(&["apply", "--namespace", NAMESPACE, &file])?;
    }
    let mut deployments = vec!["mongodb-v1", CLIENT];
    if mysqldb {
        let ports = [27017, 3306].map(Port::same);
        let objects = overlay::for_ports(kubectl, "exchange", &ports)?;
        kubectl.apply(NAMESPACE, &overlay::list(&objects))?;
        let objects = workload::objects(MYSQLDB, "v1", Some(Port::same(3306)));
        kubectl.apply(NAMESPACE, &overlay::list(&objects))?;
        deployments.push("mysqldb-v1");
    }
    for deployment in deployments {
        workload::label(kubectl, NAMESPACE, deployment, "exchange")?;
    }
    Ok(())
}

/// Runs the pod of a Deployment.
fn pod(run: &Run, kubelet: &mut Kubelet, deployment: &str) -> Result<Pod> {
    let spec = workload::pod(kubelet.kubectl(), NAMESPACE, deployment)?;
    let pod = kubelet.start(spec)?;
    run.stages
        .done(&format!("{} is ready at {}", pod.name(), pod.address()));
    Ok(pod)
}

fn database(
    service: &'static str,
    pod: Pod,
    server: Server,
    client: &Pod,
    port: Port,
    kubelet: &Kubelet,
) -> Result<Database> {
    let workload = in_namespace(NAMESPACE, Workload::bookinfo(service, "v1"));
    let kubectl = kubelet.kubectl();
    let database = Database::connect((service, workload), pod, server, client, (port, kubectl))?;
    kubelet.ready(&database.pod)?;
    Ok(database)
}
