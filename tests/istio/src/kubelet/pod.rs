//! A running pod.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use mesh::Exposition;
use mesh::envoy::http_get;
use mesh::error::Context;
use mesh::process::Process;
use rustix::process::Signal;

use super::spec::PodSpec;
use crate::cluster::Host;
use crate::error::Result;

/// The address of Envoy's admin interface in every pod.
const ADMIN: &str = "http://127.0.0.1:15000";

/// A pod whose containers run. Dropping it stops them.
#[derive(Debug)]
pub struct Pod {
    pub(super) spec: PodSpec,
    pub(super) host: Host,
    /// By the name of the container.
    pub(super) processes: Vec<(String, Process)>,
    pub(super) logs: PathBuf,
}

impl Pod {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.metadata.name
    }

    /// The object as the API server had it when the pod started.
    #[must_use]
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// Its network.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.host.address()
    }

    /// Runs `work` in the pod's network.
    ///
    /// # Errors
    /// `work` failed.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.host.inside(work)
    }

    /// Gets a path of Envoy's admin interface.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub fn admin(&self, path: &str) -> Result<String> {
        self.get(&format!("{ADMIN}{path}"))
    }

    /// Gets a URL in the pod's network.
    ///
    /// # Errors
    /// There is no answer, or its status is an error.
    pub fn get(&self, url: &str) -> Result<String> {
        self.inside(|| Ok(http_get(url)?))
    }

    /// The metrics of its Envoy.
    ///
    /// # Errors
    /// Envoy does not answer, or its exposition is malformed.
    pub fn metrics(&self) -> Result<Exposition> {
        Ok(Exposition::parse(&self.admin("/stats/prometheus")?)?)
    }

    /// Kills all processes of its network.
    ///
    /// # Errors
    /// The processes cannot be listed.
    pub fn kill(&mut self) -> Result<()> {
        self.host.kill(Signal::KILL)?;
        self.processes.clear();
        Ok(())
    }

    /// Checks that all its containers run.
    ///
    /// # Errors
    /// A container ended.
    pub fn check(&mut self) -> Result<()> {
        for (_, process) in &mut self.processes {
            process.check()?;
        }
        Ok(())
    }

    /// The log of a container.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn log(&self, container: &str) -> Result<String> {
        let path = log(&self.logs, self.name(), container);
        Ok(fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?)
    }
}

/// The file of a container's log.
pub(super) fn log(logs: &Path, pod: &str, container: &str) -> PathBuf {
    logs.join(format!("{pod}.{container}.log"))
}
