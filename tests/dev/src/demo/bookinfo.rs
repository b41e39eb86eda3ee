//! The demo of all of Bookinfo: each workload behind one sidecar, and traffic that leaves the mesh.

mod checks;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::Demo;
use super::interrupt::Interrupt;
use super::options::Options;
use super::parts;
use super::report::{Findings, Kept, Report, Setup};
use mesh::error::Result;
use mesh::progress::step;
use mesh::prometheus::Prometheus;
use mesh::report::Check;
use mesh::topology::{self, BOOKINFO, Graph, Scrape, Topology};
use mesh::{Mesh, Scratch};

const VISITS: u32 = 10;

/// The running processes. Dropping it stops them.
pub(super) struct Stage<'a> {
    prometheus: Option<Prometheus>,
    topology: Topology,
    setup: Setup,
    scratch: &'a Scratch,
    interrupt: &'a Interrupt,
}

impl<'a> Stage<'a> {
    pub(super) fn start(
        options: &Options,
        scratch: &'a Scratch,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let (wasm, filter_bytes) = parts::build_filter()?;
        interrupt.check()?;
        let envoy = parts::find_envoy(options)?;
        let reporting_duration = options.reporting_duration;
        let millis = reporting_duration.as_millis();
        let topology = Mesh::builder(&envoy, &wasm)
            .configuration(json!({ "tcp_reporting_duration": format!("{millis}ms") }))
            .settle_limit(Duration::from_secs(20) + 3 * reporting_duration)
            .start_topology(&BOOKINFO, scratch, |sidecar| {
                let url = sidecar.url("/stats/prometheus");
                step("sidecar", &format!("{}, {url}", sidecar.name()));
                interrupt.check()
            })?;
        let prometheus = match Prometheus::start(scratch, topology.sidecars()) {
            Err(error) if error.is_not_installed() => None,
            other => Some(other?),
        };
        let setup = Setup {
            envoy: envoy.version,
            envoy_origin: envoy.origin,
            filter: parts::relative(&wasm),
            filter_bytes,
            applications: BTreeMap::new(),
            reporting_duration_ms: millis,
        };
        Ok(Self {
            prometheus,
            topology,
            setup,
            scratch,
            interrupt,
        })
    }

    /// Scrapes all sidecars after the metrics have caught up. If they do not, the checks fail.
    fn settle(&self) -> Result<Scrape> {
        self.interrupt.check()?;
        match self.topology.settled() {
            Err(error) if error.is_timeout() => self.topology.scrape(),
            other => other,
        }
    }
}

impl Demo for Stage<'_> {
    /// The connection of ratings-v2 to mongodb stays open.
    fn run_traffic(&mut self) -> Result<Report> {
        let what = format!("visits the product page {VISITS} times");
        step("user", &what);
        let mut answered = Vec::new();
        for number in 1..=VISITS {
            self.interrupt.check()?;
            answered.push(
                self.topology
                    .visit(&format!("GET /productpage?u={number}"))?,
            );
        }

        step("metrics", "waiting for the last reports");
        let scrape = self.settle()?;
        let graph = Graph::read(topology::all(&scrape));
        let mut checks = vec![checks::answers(&answered)];
        checks.extend(checks::mesh(&self.topology, &scrape, &graph));
        if let Some(prometheus) = &self.prometheus {
            checks.push(checks::prometheus(prometheus, &graph, self.interrupt)?);
        }
        let texts = self.topology.sidecars().map(|sidecar| {
            let text = sidecar.prometheus_text()?;
            Ok((sidecar.name().to_owned(), text))
        });
        Ok(Report {
            ok: false,
            setup: self.setup.clone(),
            findings: Findings::Bookinfo { graph },
            checks,
            prometheus_text: texts.collect::<Result<_>>()?,
            kept: None,
        })
    }

    fn hang_up(&mut self) -> Result<Vec<Check>> {
        self.topology.hang_up();
        let scrape = self.settle()?;
        let graph = Graph::read(topology::all(&scrape));
        Ok(vec![checks::all_closed(&graph)])
    }

    fn prometheus(&self) -> Option<&Prometheus> {
        self.prometheus.as_ref()
    }

    fn send_traffic(&mut self) -> Result<()> {
        self.topology.forget();
        self.topology.visit("GET /productpage").map(drop)
    }

    fn kept(&self) -> Result<Kept> {
        let mut addresses = BTreeMap::new();
        for sidecar in self.topology.sidecars() {
            addresses.insert(format!("Envoy {}", sidecar.name()), sidecar.url("/"));
        }
        let user = self.topology.entrance()?;
        addresses.insert("productpage as the user".to_owned(), user.to_string());
        if let Some(prometheus) = &self.prometheus {
            addresses.insert("Prometheus".to_owned(), prometheus.url());
        }
        Ok(Kept::new(addresses, self.scratch))
    }
}
