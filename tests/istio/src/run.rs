//! One run of a job, in its namespaces.

use std::path::PathBuf;

use crate::cluster::{Kubernetes, Network};
use crate::error::Result;
use crate::istiod::Istiod;
use crate::kubelet::Kubelet;
use crate::parts::Parts;
use crate::progress::Stages;

/// The folders and the parts of a run.
#[derive(Debug)]
pub struct Run {
    /// The programs and files.
    pub parts: Parts,
    /// The folder for files, which vanishes with the namespaces.
    pub work: PathBuf,
    /// The folder for logs in it.
    pub logs: PathBuf,
    /// The id of this process outside of the namespaces.
    pub outer_id: u32,
    /// The clock.
    pub stages: Stages,
}

/// A running control plane. Dropping it stops it.
#[derive(Debug)]
pub struct ControlPlane {
    /// The kubelet.
    pub kubelet: Kubelet,
    /// istiod.
    pub istiod: Istiod,
}

impl Run {
    /// Starts the network, the API server and istiod.
    ///
    /// # Errors
    /// A part does not start.
    pub fn control_plane(&self) -> Result<ControlPlane> {
        let network = Network::create(&self.work)?;
        let kubernetes = Kubernetes::start(&self.parts.tools, &self.work, &self.logs)?;
        self.stages
            .done("the API server and the controllers are ready");
        let folders = [self.work.as_path(), self.logs.as_path()];
        let (tools, envoy) = (&self.parts.tools, &self.parts.envoy);
        let mut kubelet = Kubelet::new(kubernetes, network, tools, envoy, folders)?;
        let istiod = Istiod::start(&mut kubelet)?;
        self.stages.done("istiod and its injector are ready");
        Ok(ControlPlane { kubelet, istiod })
    }
}
