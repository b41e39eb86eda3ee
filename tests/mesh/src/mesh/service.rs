//! A service of a mesh and its sidecar.

use std::net::SocketAddr;

use serde_json::Value;

use super::Filter;
use crate::bootstrap::{Hop, Inbound, Upstream};
use crate::error::Result;
use crate::labels;
use crate::mesh_ca::{Identity, MeshCa};
use crate::sidecar::Edit;
use crate::situation::Situation;
use crate::workload::Workload;

/// A service of a mesh.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) workload: Workload,
    pub(super) port: u16,
    pub(super) application: SocketAddr,
    pub(super) hop: Hop,
    pub(super) filter: Filter,
    pub(super) edit: Option<Edit>,
}

impl Service {
    /// A service of the application at `application`. Its name is the workload's app.
    #[must_use]
    pub fn new(workload: Workload, port: u16, application: SocketAddr) -> Self {
        Self {
            workload,
            port,
            application,
            hop: Hop::Mesh,
            filter: Filter::Default,
            edit: None,
        }
    }

    /// Sets the connection between the client's sidecar and this service's sidecar.
    #[must_use]
    pub fn hop(mut self, hop: Hop) -> Self {
        self.hop = hop;
        self
    }

    /// Sets this sidecar's filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets a function that changes this sidecar's bootstrap before the start.
    #[must_use]
    pub fn edit(mut self, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.edit = Some(Edit::new(edit));
        self
    }

    /// Sets the hop of the situation, unless the service has another one than [`Hop::Mesh`].
    pub(super) fn settle(&mut self, situation: Situation) {
        if self.hop == Hop::Mesh {
            self.hop = situation.hop();
        }
    }

    /// Issues the certificate of the sidecar.
    pub(super) fn identity(&self, ca: &MeshCa, foreign_ca: &MeshCa) -> Result<Identity> {
        let Workload { app, namespace, .. } = &self.workload;
        match self.hop {
            Hop::Foreign => foreign_ca.issue_for_host(&labels::host(app, namespace)),
            _ => self.workload.certificate(ca),
        }
    }

    pub(super) fn inbound(&self, application: SocketAddr) -> Inbound<'_> {
        Inbound {
            workload: &self.workload,
            port: self.port,
            application,
            hop: self.hop,
        }
    }

    pub(super) fn upstream(&self, sidecar: SocketAddr) -> Upstream {
        Upstream {
            workload: self.workload.clone(),
            port: self.port,
            address: sidecar,
            hop: self.hop,
        }
    }
}
