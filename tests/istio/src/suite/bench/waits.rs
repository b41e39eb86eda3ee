//! Waits until the proxies have what was applied.

use std::time::Duration;

use super::{Bench, CLUSTER, PORT};
use crate::cluster::until;
use crate::error::Result;
use crate::overlay::Port;
use crate::suite::clusters::{self, Transport};
use crate::suite::listeners::{self, Chain};

/// The time that istiod and a proxy may take to put a change into force.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

impl Bench<'_> {
    /// Waits until the filter of the first server and of the client has this mode in every chain.
    pub(in crate::suite) fn chains_have(&self, mode: &str) -> Result<()> {
        self.chains_of(PORT, mode)
    }

    /// As [`Self::chains_have`], for another port.
    pub(in crate::suite) fn chains_of(&self, port: Port, mode: &str) -> Result<()> {
        let server = self.server()?;
        until(&format!("mode {mode} in all chains"), LIMIT, || {
            let inbound = listeners::inbound(&server.pod, port.target)?;
            let outbound = listeners::outbound(&self.client, port.service)?;
            let have = |chains: &[Chain]| {
                !chains.is_empty() && chains.iter().all(|chain| chain.has_mode(mode))
            };
            Ok((have(&inbound) && have(&outbound)).then_some(()))
        })
    }

    /// Waits until the server, which has the label, has no filter.
    pub(in crate::suite) fn server_has_no_filter(&self) -> Result<()> {
        let server = self.server()?;
        until("no filter at the server", LIMIT, || {
            let chains = listeners::inbound(&server.pod, PORT.target)?;
            let none = chains.iter().all(|chain| chain.filter.is_none());
            Ok((!chains.is_empty() && none).then_some(()))
        })?;
        for server in &self.servers {
            server.reports.set(false);
        }
        Ok(())
    }

    /// Waits until the client's listener has no filter.
    pub(in crate::suite) fn client_has_no_filter(&self) -> Result<()> {
        until("no filter at the client", LIMIT, || {
            let chains = listeners::outbound(&self.client, PORT.service)?;
            let none = chains.iter().all(|chain| chain.filter.is_none());
            Ok((!chains.is_empty() && none).then_some(()))
        })
    }

    /// Waits until the client uses exactly the servers that have not left the Service.
    pub(in crate::suite) fn endpoints_are_the_servers(&self) -> Result<()> {
        let used = self.servers.iter().filter(|server| !server.has_left.get());
        let mut wanted: Vec<_> = used.map(|server| server.pod.address()).collect();
        wanted.sort_unstable();
        until("the endpoints of the Service", LIMIT, || {
            let known = clusters::endpoints(&self.client, CLUSTER)?;
            Ok((known == wanted).then_some(()))
        })
    }

    /// Waits until the client's connections to the Service have this transport. The proxy puts a
    /// cluster into force some time after the acknowledgement.
    pub(in crate::suite) fn transport_is(&self, wanted: Transport) -> Result<()> {
        let what = format!("transport {wanted:?} at the client");
        until(&what, LIMIT, || {
            let found = clusters::transport(&self.client, CLUSTER)?;
            Ok((found == Some(wanted)).then_some(()))
        })
    }
}
