//! The servers of a case, and the proxies that they have had.

use std::collections::BTreeMap;

use host_harness::{Module, Rig, Sidecar, StartError};

use crate::case::{Case, Connection, Proxy, Server};
use crate::model::Report;
use crate::setup::inbound;

/// The servers of a case, and the proxies that they have had.
pub(crate) struct Servers<'a> {
    case: &'a Case,
    running: BTreeMap<Server, Running<'a>>,
    /// They keep their open connections.
    replaced: Vec<Running<'a>>,
}

/// A server's proxy.
pub(crate) struct Running<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) sidecar: Sidecar,
    pub(crate) reports: Vec<Report>,
}

impl<'a> Running<'a> {
    fn new(proxy: &'a Proxy, sidecar: Sidecar) -> Self {
        Self {
            proxy,
            sidecar,
            reports: Vec::new(),
        }
    }
}

impl<'a> Servers<'a> {
    pub(crate) fn new(case: &'a Case, rig: &Rig) -> Self {
        let first = Running::new(&case.inbound, rig.inbound.clone());
        Self {
            case,
            running: BTreeMap::from([(Server::First, first)]),
            replaced: Vec::new(),
        }
    }

    /// The proxy of a connection's server. It is started now if it is the first one, or replaces
    /// another.
    pub(crate) fn prepare(
        &mut self,
        connection: &'a Connection,
        rig: &mut Rig,
        module: &Module,
    ) -> Result<&mut Running<'a>, StartError> {
        let to = connection.to;
        let before = match &connection.replacement {
            None => self.running.remove(&to),
            Some(_) => {
                self.replaced.extend(self.running.remove(&to));
                None
            }
        };
        let running = match before {
            Some(running) => running,
            None => {
                let proxy = connection.replacement.as_ref();
                let proxy = proxy.unwrap_or(&self.case.inbound);
                Running::new(proxy, rig.start_inbound(inbound(self.case, proxy, module))?)
            }
        };
        Ok(self.running.entry(to).or_insert(running))
    }

    /// All proxies of servers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Running<'a>> {
        self.replaced.iter().chain(self.running.values())
    }
}
