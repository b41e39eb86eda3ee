//! Putting a mesh together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::service::{self, Service};
use super::{Mesh, Running};
use crate::EnvoyBinary;
use crate::Scratch;
use crate::bootstrap::{Bootstrap, Upstream};
use crate::envoy::Envoy;
use crate::error::Result;
use crate::mesh_ca::MeshCa;
use crate::situation::Situation;
use crate::tap::Tap;
use crate::workload::Workload;

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
    server_binary: EnvoyBinary,
    pub(super) wasm: PathBuf,
    client: Workload,
    client_filter: Filter,
    client_edit: Option<fn(&mut Value)>,
    situation: Situation,
    configuration: Value,
    concurrency: u32,
    settle_limit: Duration,
    services: Vec<Service>,
}

impl Builder {
    pub(super) fn new(binary: &EnvoyBinary, wasm: &Path) -> Self {
        Self {
            binary: binary.clone(),
            server_binary: binary.clone(),
            wasm: wasm.to_owned(),
            client: Workload::ratings_v2(),
            client_filter: Filter::Default,
            client_edit: None,
            situation: Situation::default(),
            configuration: json!({ "tcp_reporting_duration": REPORTING_DURATION }),
            concurrency: 1,
            settle_limit: SETTLE_LIMIT,
            services: Vec::new(),
        }
    }

    /// Another Envoy than the client's for the services' sidecars.
    #[must_use]
    pub fn server_binary(mut self, binary: &EnvoyBinary) -> Self {
        self.server_binary = binary.clone();
        self
    }

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

    /// A last change to the client sidecar's bootstrap, for what has no function of its own.
    #[must_use]
    pub fn edit_client(mut self, edit: fn(&mut Value)) -> Self {
        self.client_edit = Some(edit);
        self
    }

    /// The configuration of every filter that has none of its own. Without this, only the reporting interval is set.
    #[must_use]
    pub fn configuration(mut self, configuration: Value) -> Self {
        self.configuration = configuration;
        self
    }

    /// What it is like, for the services over mesh mTLS and the filters without a configuration of their own.
    #[must_use]
    pub fn situation(mut self, situation: Situation) -> Self {
        self.situation = situation;
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
    pub fn start(mut self, scratch: &Scratch) -> Result<Mesh> {
        self.configuration = self.situation.configuration(self.configuration);
        for service in &mut self.services {
            service.settle(self.situation);
        }
        let dir = scratch.folder("mesh")?;
        let ca = MeshCa::create(&dir.join("ca"))?;
        let foreign_ca = MeshCa::create(&dir.join("foreign-ca"))?;
        let mut servers = Vec::new();
        for service in &self.services {
            let server_tap = Tap::start(service.application)?;
            let bootstrap = service.bootstrap(&self, &ca, &foreign_ca, server_tap.address())?;
            let name = &service.workload.name;
            let binary = &self.server_binary;
            let server = Envoy::start(binary, name, bootstrap.document(), self.concurrency, &dir)?;
            let upstream = service.upstream(server.listener(service::LISTENER)?);
            servers.push((upstream, server, server_tap));
        }

        let mut bootstrap = Bootstrap::client_sidecar()?;
        bootstrap.run_as(&self.client, &self.client.certificate(&ca)?)?;
        let upstreams: Vec<Upstream> = servers
            .iter()
            .map(|(upstream, ..)| upstream.clone())
            .collect();
        bootstrap.upstreams(&upstreams, &foreign_ca.root())?;
        bootstrap.filter(&self.wasm, self.resolve(&self.client_filter));
        if let Some(edit) = self.client_edit {
            edit(bootstrap.document_mut());
        }
        let client = Envoy::start(
            &self.binary,
            &self.client.name,
            bootstrap.document(),
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
            situation: self.situation,
            workload: self.client,
            settle_limit: self.settle_limit,
            client,
            services,
        })
    }

    /// The configuration that a filter gets, if there is one.
    pub(super) fn resolve<'a>(&'a self, filter: &'a Filter) -> Option<&'a Value> {
        match filter {
            Filter::Default => Some(&self.configuration),
            Filter::Configured(configuration) => Some(configuration),
            Filter::Absent => None,
        }
    }
}
