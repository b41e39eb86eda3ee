//! Putting a mesh together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::service::Service;
use super::{Mesh, Running};
use crate::EnvoyBinary;
use crate::Scratch;
use crate::bootstrap::Upstream;
use crate::error::Result;
use crate::mesh_ca::MeshCa;
use crate::sidecar::{Common, INBOUND, Outbound, Sidecar};
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
    pub(crate) common: Common,
    server_binary: EnvoyBinary,
    client: Workload,
    client_filter: Filter,
    client_edit: Option<fn(&mut Value)>,
    situation: Situation,
    pub(crate) configuration: Value,
    pub(crate) settle_limit: Duration,
    taps: bool,
    services: Vec<Service>,
}

impl Builder {
    pub(super) fn new(binary: &EnvoyBinary, wasm: &Path) -> Self {
        Self {
            common: Common {
                binary: binary.clone(),
                wasm: wasm.to_owned(),
                concurrency: 1,
            },
            server_binary: binary.clone(),
            client: Workload::ratings_v2(),
            client_filter: Filter::Default,
            client_edit: None,
            situation: Situation::default(),
            configuration: json!({ "tcp_reporting_duration": REPORTING_DURATION }),
            settle_limit: SETTLE_LIMIT,
            taps: true,
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
        self.common.concurrency = workers;
        self
    }

    /// How long [`Mesh::settled`] and [`Topology::settled`](crate::topology::Topology::settled) wait, for reporting intervals of many seconds.
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

    /// Leaves the taps out: clients connect to the client's sidecar, and the servers' sidecars to the applications.
    /// For loads that the taps would slow down; [`Mesh::tap`] and what compares with taps fails then.
    #[must_use]
    pub fn without_taps(mut self) -> Self {
        self.taps = false;
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
        let server = Common {
            binary: self.server_binary.clone(),
            ..self.common.clone()
        };
        let mut upstreams = Vec::new();
        let mut servers = Vec::new();
        for service in &self.services {
            let tap = self.tap(service.application)?;
            let application = tap.as_ref().map_or(service.application, Tap::address);
            let identity = service.identity(&ca, &foreign_ca)?;
            let envoy = Sidecar {
                workload: &service.workload,
                identity: &identity,
                inbound: Some(service.inbound(application)),
                outbound: None,
                configuration: self.resolve(&service.filter),
                edit: service.edit,
            }
            .start(&server, &dir)?;
            upstreams.push(service.upstream(envoy.listener(INBOUND)?));
            servers.push((envoy, tap));
        }
        let client = Sidecar {
            workload: &self.client,
            identity: &self.client.certificate(&ca)?,
            inbound: None,
            outbound: Some(Outbound {
                upstreams: &upstreams,
                outside: &[],
                foreign_ca: &foreign_ca,
            }),
            configuration: self.resolve(&self.client_filter),
            edit: self.client_edit,
        }
        .start(&self.common, &dir)?;

        let mut services = BTreeMap::new();
        for (Upstream { workload, .. }, (server, server_tap)) in upstreams.into_iter().zip(servers)
        {
            let listener = client.listener(&workload.app)?;
            let client_tap = self.tap(listener)?;
            let address = client_tap.as_ref().map_or(listener, Tap::address);
            let name = workload.app.clone();
            services.insert(
                name,
                Running {
                    workload,
                    server,
                    address,
                    taps: client_tap.zip(server_tap),
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

    fn tap(&self, to: SocketAddr) -> Result<Option<Tap>> {
        self.taps.then(|| Tap::start(to)).transpose()
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
