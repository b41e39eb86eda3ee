//! Builds and starts a mesh.

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
use crate::sidecar::{Common, Edit, INBOUND, Outbound, Sidecar};
use crate::situation::Situation;
use crate::tap::Tap;
use crate::workload::Workload;

const SETTLE_LIMIT: Duration = Duration::from_secs(30);
/// The reporting interval of tests. It is short because most tests wait for a report.
const REPORTING_DURATION: &str = "500ms";

/// The filter of a sidecar.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Filter {
    /// With the configuration of the mesh.
    #[default]
    Default,
    /// With a configuration of its own.
    Configured(Value),
    /// Without the filter.
    Absent,
}

/// The parameters of a mesh.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) common: Common,
    server_binary: EnvoyBinary,
    client: Workload,
    client_filter: Filter,
    client_edit: Option<Edit>,
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
                is_shared: false,
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

    /// Sets the Envoy of the services' sidecars. The default is the client's.
    #[must_use]
    pub fn server_binary(mut self, binary: &EnvoyBinary) -> Self {
        self.server_binary = binary.clone();
        self
    }

    /// Sets the client. The default is ratings-v2.
    #[must_use]
    pub fn client(mut self, workload: Workload) -> Self {
        self.client = workload;
        self
    }

    /// Sets the client sidecar's filter.
    #[must_use]
    pub fn client_filter(mut self, filter: Filter) -> Self {
        self.client_filter = filter;
        self
    }

    /// Sets a function that changes the client sidecar's bootstrap before the start.
    #[must_use]
    pub fn edit_client(mut self, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.client_edit = Some(Edit::new(edit));
        self
    }

    /// Sets the configuration of every filter without a configuration of its own. The default has
    /// only the reporting interval.
    #[must_use]
    pub fn configuration(mut self, configuration: Value) -> Self {
        self.configuration = configuration;
        self
    }

    /// Sets the situation. It applies to services with [`Hop::Mesh`](crate::Hop::Mesh) and to
    /// filters without a configuration of their own.
    #[must_use]
    pub fn situation(mut self, situation: Situation) -> Self {
        self.situation = situation;
        self
    }

    /// Sets the worker threads per Envoy. The default is 1.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.common.concurrency = workers;
        self
    }

    /// Uses Envoys that have run other meshes of this process: [`Envoy::start_shared`](crate::Envoy::start_shared).
    #[must_use]
    pub fn in_shared_envoys(mut self) -> Self {
        self.common.is_shared = true;
        self
    }

    /// Sets the time limit of [`Mesh::settled`] and
    /// [`Topology::settled`](crate::topology::Topology::settled), for reporting intervals of many
    /// seconds.
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

    /// Starts no taps: clients connect to the client's sidecar, and the servers' sidecars to the
    /// applications. For loads that taps would slow down. [`Mesh::tap`] and all functions that use
    /// a tap then fail.
    #[must_use]
    pub fn without_taps(mut self) -> Self {
        self.taps = false;
        self
    }

    /// Creates the certificates and starts the sidecars and taps. Files are in `scratch`.
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
                edit: service.edit.as_ref(),
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
            edit: self.client_edit.as_ref(),
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

    /// Returns the configuration of a filter, or `None` without a filter.
    pub(super) fn resolve<'a>(&'a self, filter: &'a Filter) -> Option<&'a Value> {
        match filter {
            Filter::Default => Some(&self.configuration),
            Filter::Configured(configuration) => Some(configuration),
            Filter::Absent => None,
        }
    }
}
