//! The module that the EnvoyFilters name.

use std::fs;

use mesh::error::Context;
use serde_json::Value;

use super::waits::LIMIT;
use super::{Bench, NAMESPACE, PORT};
use crate::cluster::until;
use crate::error::Result;
use crate::overlay::{self, MODULES};
use crate::suite::listeners::{self, Chain};
use crate::workload;

/// The file that the overlay names.
pub(in crate::suite) const SHIPPED: &str = "tcp_peer_stats.wasm";

impl Bench<'_> {
    /// The filter as it ships.
    pub(in crate::suite) fn shipped(&self) -> Result<Vec<u8>> {
        let path = &self.run.parts.wasm;
        Ok(fs::read(path).context(|| format!("cannot read {}", path.display()))?)
    }

    /// Adds a module to the ConfigMap, and brings it into the running pods.
    pub(in crate::suite) fn provide(&self, file: &str, module: &[u8]) -> Result<()> {
        let path = self.work().join(file);
        fs::write(&path, module).context(|| format!("cannot write {}", path.display()))?;
        let files = [self.run.parts.wasm.as_path(), &path];
        workload::modules(self.kubectl(), NAMESPACE, &files)?;
        let servers = self.servers.iter().map(|server| &server.pod);
        let mut pods = servers.chain([&self.client]);
        pods.try_for_each(|pod| self.control.kubelet.refresh(pod))
    }

    /// Applies the overlay with another module, without waiting.
    pub(in crate::suite) fn apply_module(&self, file: &str, limits: &Value) -> Result<()> {
        let mut objects = overlay::for_ports(self.kubectl(), "exchange", &[PORT])?;
        overlay::set_module(&mut objects, file, limits)?;
        self.kubectl().apply(NAMESPACE, &overlay::list(&objects))?;
        Ok(())
    }

    /// Puts a native filter that does nothing into the place of this one, in both sidecars and until
    /// the next [`Self::reset`].
    pub(in crate::suite) fn replace_filter(&self) -> Result<()> {
        self.is_native.set(true);
        self.apply("exchange")?;
        self.modules_are(SHIPPED)?;
        self.chains_have("auto")
    }

    /// Whether a native filter is in the place of this one.
    pub(in crate::suite) fn is_native(&self) -> bool {
        self.is_native.get()
    }

    /// Waits until the filters of the first server and of the client have this module in every
    /// chain.
    pub(in crate::suite) fn modules_are(&self, file: &str) -> Result<()> {
        let server = self.server()?;
        let wanted = (!self.is_native()).then(|| format!("{MODULES}/{file}"));
        until(&format!("{file} in all chains"), LIMIT, || {
            let inbound = listeners::inbound(&server.pod, PORT.target)?;
            let outbound = listeners::outbound(&self.client, PORT.service)?;
            let have = |chains: &[Chain]| {
                let mut all = chains.iter().map(|chain| chain.module.as_deref());
                !chains.is_empty() && all.all(|own| own == wanted.as_deref())
            };
            Ok((have(&inbound) && have(&outbound)).then_some(()))
        })
    }
}
