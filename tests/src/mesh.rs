//! One client sidecar, one sidecar per service, and taps at both ends.

mod counts;
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bootstrap::{Bootstrap, Upstream};
use crate::envoy::Envoy;
use crate::error::{Error, Result};
use crate::exposition::{Exposition, Labels};
use crate::labels::{self, Reporter};
use crate::mesh_ca::MeshCa;
use crate::poll::{self, Look};
use crate::tap::Tap;
use crate::tools::EnvoyBinary;
use crate::workload::Workload;
use crate::workspace::Scratch;

pub use self::counts::Counts;
pub use self::service::Service;
pub use crate::bootstrap::Hop;

const SETTLE_LIMIT: Duration = Duration::from_secs(30);
/// The tests' own reporting interval: short, as most of them wait for one.
const REPORTING_DURATION: &str = "500ms";

/// Whether a sidecar has the filter, and how configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Filter {
    /// Configured as the mesh says.
    #[default]
    Default,
    /// With a configuration of its own.
    Configured(Value),
    /// Without the filter.
    Absent,
}

/// What a mesh shall be like.
#[derive(Clone, Debug)]
pub struct Builder {
    binary: EnvoyBinary,
    wasm: PathBuf,
    client: Workload,
    client_filter: Filter,
    configuration: Value,
    concurrency: u32,
    settle_limit: Duration,
    services: Vec<Service>,
}

/// A running mesh. Dropping it stops its Envoys.
#[derive(Debug)]
pub struct Mesh {
    workload: Workload,
    settle_limit: Duration,
    client: Envoy,
    services: BTreeMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    workload: Workload,
    server: Envoy,
    client_tap: Tap,
    server_tap: Tap,
}

impl Mesh {
    /// A mesh of this Envoy and this filter: ratings-v2 as the client, no service yet.
    #[must_use]
    pub fn builder(binary: &EnvoyBinary, wasm: &Path) -> Builder {
        Builder {
            binary: binary.clone(),
            wasm: wasm.to_owned(),
            client: Workload::ratings_v2(),
            client_filter: Filter::Default,
            configuration: json!({ "tcp_reporting_duration": REPORTING_DURATION }),
            concurrency: 1,
            settle_limit: SETTLE_LIMIT,
            services: Vec::new(),
        }
    }

    /// Where a client application connects to for a service.
    ///
    /// # Errors
    /// There is no such service.
    pub fn address(&self, service: &str) -> Result<SocketAddr> {
        Ok(self.running(service)?.client_tap.address())
    }

    /// The client's sidecar.
    #[must_use]
    pub fn client(&self) -> &Envoy {
        &self.client
    }

    /// A service's sidecar.
    ///
    /// # Errors
    /// There is no such service.
    pub fn server(&self, service: &str) -> Result<&Envoy> {
        Ok(&self.running(service)?.server)
    }

    /// All sidecars, the client's first.
    pub fn sidecars(&self) -> impl Iterator<Item = &Envoy> {
        let servers = self.services.values().map(|running| &running.server);
        std::iter::once(&self.client).chain(servers)
    }

    /// The names of the services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// The sidecar that reports on a service as `reporter`.
    ///
    /// # Errors
    /// There is no such service.
    pub fn sidecar(&self, reporter: Reporter, service: &str) -> Result<&Envoy> {
        match reporter {
            Reporter::Source => Ok(&self.client),
            Reporter::Destination => self.server(service),
        }
    }

    /// The tap at the application's end of the sidecar that reports as `reporter`.
    ///
    /// # Errors
    /// There is no such service.
    pub fn tap(&self, reporter: Reporter, service: &str) -> Result<&Tap> {
        let running = self.running(service)?;
        Ok(match reporter {
            Reporter::Source => &running.client_tap,
            Reporter::Destination => &running.server_tap,
        })
    }

    /// All 23 labels of a series when both sides exchanged their metadata over mTLS.
    ///
    /// # Errors
    /// There is no such service.
    pub fn exchanged_labels(&self, reporter: Reporter, service: &str) -> Result<Labels> {
        Ok(labels::exchanged(
            reporter,
            &self.workload,
            &self.running(service)?.workload,
        ))
    }

    /// What the filter reports of a service, over all label sets.
    ///
    /// # Errors
    /// There is no such service, or its Envoy does not answer.
    pub fn reported(&self, reporter: Reporter, service: &str) -> Result<Counts> {
        let metrics = self.sidecar(reporter, service)?.metrics()?;
        Ok(Counts::reported(
            &metrics,
            &Self::selector(reporter, service),
        ))
    }

    /// What the tap at the application's end saw.
    ///
    /// # Errors
    /// There is no such service.
    pub fn seen(&self, reporter: Reporter, service: &str) -> Result<Counts> {
        Ok(Counts::seen(&self.tap(reporter, service)?.tally()))
    }

    /// Waits until the filter reports exactly what the tap saw, and returns that scrape. The traffic must have ended or
    /// rest.
    ///
    /// # Errors
    /// It never does: the message shows both.
    pub fn settled(&self, reporter: Reporter, service: &str) -> Result<Exposition> {
        let what =
            format!("{service}'s metrics of reporter {reporter} being equal to the bytes seen");
        let sidecar = self.sidecar(reporter, service)?;
        let tap = self.tap(reporter, service)?;
        poll::until(&what, self.settle_limit, || {
            let seen = Counts::seen(&tap.tally());
            let metrics = sidecar.metrics()?;
            let reported = Counts::reported(&metrics, &Self::selector(reporter, service));
            Ok(if seen == reported {
                Look::Found(metrics)
            } else {
                Look::NotYet(format!("reported {reported:?}, seen {seen:?}"))
            })
        })
    }

    /// The labels that every series of a reporter on a service has.
    #[must_use]
    pub fn selector(reporter: Reporter, service: &str) -> [(&'static str, &str); 2] {
        [
            ("reporter", reporter.as_str()),
            ("destination_service_name", service),
        ]
    }

    fn running(&self, service: &str) -> Result<&Running> {
        let missing = || Error::NoSuchService {
            name: service.to_owned(),
        };
        self.services.get(service).ok_or_else(missing)
    }
}

impl Builder {
    /// Another client than ratings-v2.
    #[must_use]
    pub fn client(mut self, workload: Workload) -> Self {
        self.client = workload;
        self
    }

    /// The client sidecar's filter.
    #[must_use]
    pub fn client_filter(mut self, filter: Filter) -> Self {
        self.client_filter = filter;
        self
    }

    /// The configuration of every filter that has none of its own. Without this, only the reporting interval is set.
    #[must_use]
    pub fn configuration(mut self, configuration: Value) -> Self {
        self.configuration = configuration;
        self
    }

    /// Worker threads per Envoy, 1 unless set.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// How long [`Mesh::settled`] waits, for reporting intervals of many seconds.
    #[must_use]
    pub fn settle_limit(mut self, limit: Duration) -> Self {
        self.settle_limit = limit;
        self
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Makes certificates and starts everything. Files go to `scratch`.
    ///
    /// # Errors
    /// An Envoy does not start.
    pub fn start(self, scratch: &Scratch) -> Result<Mesh> {
        let dir = scratch.folder("mesh")?;
        let ca = MeshCa::create(&dir.join("ca"))?;
        let foreign_ca = MeshCa::create(&dir.join("foreign-ca"))?;
        let mut servers = Vec::new();
        for service in &self.services {
            let server_tap = Tap::start(service.application)?;
            let bootstrap = service.bootstrap(&self, &ca, &foreign_ca, server_tap.address())?;
            let name = &service.workload.name;
            let server = Envoy::start(&self.binary, name, &bootstrap, self.concurrency, &dir)?;
            let upstream = service.upstream(server.listener(service::LISTENER)?);
            servers.push((upstream, server, server_tap));
        }

        let mut bootstrap = Bootstrap::client_sidecar()?;
        bootstrap.run_as(&self.client, &ca.issue(&self.client)?)?;
        let upstreams: Vec<Upstream> = servers
            .iter()
            .map(|(upstream, ..)| upstream.clone())
            .collect();
        bootstrap.upstreams(&upstreams, &foreign_ca.root())?;
        bootstrap.filter(&self.wasm, self.resolve(&self.client_filter));
        let client = Envoy::start(
            &self.binary,
            &self.client.name,
            &bootstrap,
            self.concurrency,
            &dir,
        )?;

        let mut services = BTreeMap::new();
        for (upstream, server, server_tap) in servers {
            let workload = upstream.workload;
            let client_tap = Tap::start(client.listener(&workload.app)?)?;
            let name = workload.app.clone();
            services.insert(
                name,
                Running {
                    workload,
                    server,
                    client_tap,
                    server_tap,
                },
            );
        }
        Ok(Mesh {
            workload: self.client,
            settle_limit: self.settle_limit,
            client,
            services,
        })
    }

    /// The configuration that a filter gets, if there is one.
    fn resolve<'a>(&'a self, filter: &'a Filter) -> Option<&'a Value> {
        match filter {
            Filter::Default => Some(&self.configuration),
            Filter::Configured(configuration) => Some(configuration),
            Filter::Absent => None,
        }
    }
}
