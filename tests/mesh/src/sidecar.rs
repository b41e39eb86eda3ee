//! A sidecar: a bootstrap of `envoy-config/` for a workload, and its Envoy.

use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::bootstrap::{Bootstrap, Inbound, Outside, Upstream};
use crate::envoy::Envoy;
use crate::error::Result;
use crate::mesh_ca::Identity;
use crate::workload::Workload;
use crate::{EnvoyBinary, mesh_ca::MeshCa};

/// The listener's name in `envoy-config/server-sidecar.yaml`.
pub(crate) const INBOUND: &str = "virtualInbound";

/// The parameters that all sidecars of a mesh share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) binary: EnvoyBinary,
    pub(crate) wasm: PathBuf,
    /// Worker threads.
    pub(crate) concurrency: u32,
    /// Whether the Envoy may have run another configuration before.
    pub(crate) is_shared: bool,
}

/// A sidecar before its start.
#[derive(Debug)]
pub(crate) struct Sidecar<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) identity: &'a Identity,
    /// The workload's service.
    pub(crate) inbound: Option<Inbound<'a>>,
    /// The services that the workload calls. `None` for no outbound listeners.
    pub(crate) outbound: Option<Outbound<'a>>,
    /// The configuration of the filters. `None` for no filters.
    pub(crate) configuration: Option<&'a Value>,
    pub(crate) edit: Option<&'a Edit>,
}

/// A change of a bootstrap.
#[derive(Clone)]
pub(crate) struct Edit(Arc<dyn Fn(&mut Value)>);

impl Edit {
    pub(crate) fn new(edit: impl Fn(&mut Value) + 'static) -> Self {
        Self(Arc::new(edit))
    }
}

impl Debug for Edit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

/// The clusters of a sidecar's outbound side.
#[derive(Debug)]
pub(crate) struct Outbound<'a> {
    pub(crate) upstreams: &'a [Upstream],
    /// Destinations outside the mesh.
    pub(crate) outside: &'a [Outside],
    /// The authority of upstreams with [`Hop::Foreign`](crate::Hop::Foreign).
    pub(crate) foreign_ca: &'a MeshCa,
}

impl Sidecar<'_> {
    /// Starts the Envoy. Files are in `dir`.
    pub(crate) fn start(&self, common: &Common, dir: &Path) -> Result<Envoy> {
        let bootstrap = self.bootstrap(&common.wasm)?;
        let name = &self.workload.name;
        let start = match common.is_shared {
            true => Envoy::start_shared,
            false => Envoy::start,
        };
        start(
            &common.binary,
            name,
            bootstrap.document(),
            common.concurrency,
            dir,
        )
    }

    fn bootstrap(&self, wasm: &Path) -> Result<Bootstrap> {
        let mut bootstrap = match (&self.outbound, &self.inbound) {
            (Some(outbound), Some(inbound)) => {
                let mut bootstrap = outbound.bootstrap()?;
                bootstrap.absorb(server(inbound)?)?;
                bootstrap
            }
            (Some(outbound), None) => outbound.bootstrap()?,
            (None, Some(inbound)) => server(inbound)?,
            (None, None) => Bootstrap::client_sidecar()?,
        };
        bootstrap.run_as(self.workload, self.identity)?;
        bootstrap.filter(wasm, self.configuration);
        if let Some(edit) = self.edit {
            (edit.0)(bootstrap.document_mut());
        }
        Ok(bootstrap)
    }
}

impl Outbound<'_> {
    fn bootstrap(&self) -> Result<Bootstrap> {
        let mut bootstrap = Bootstrap::client_sidecar()?;
        bootstrap.upstreams(self.upstreams, &self.foreign_ca.root())?;
        bootstrap.outside(self.outside)?;
        Ok(bootstrap)
    }
}

fn server(inbound: &Inbound<'_>) -> Result<Bootstrap> {
    let mut bootstrap = Bootstrap::server_sidecar()?;
    bootstrap.serve(inbound)?;
    Ok(bootstrap)
}
