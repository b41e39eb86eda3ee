//! The servers of a case, and the proxies that they have had.

use std::collections::BTreeMap;

use host_harness::{Module, Rig, Sidecar, StartError};

use crate::case::{Case, Connection, Proxy, Server};
use crate::model::Report;
use crate::setup::inbound;

/// The servers of a case, and the proxies that they have had.
pub(crate) struct Servers<'a> {
    case: &'a Case,
    /// Those that were replaced keep their open connections.
    proxies: Vec<Running<'a>>,
    /// Which of the proxies a server has now.
    current: BTreeMap<Server, usize>,
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
        Self {
            case,
            proxies: vec![Running::new(&case.inbound, rig.inbound.clone())],
            current: BTreeMap::from([(Server::First, 0)]),
        }
    }

    /// The number of the proxy of a connection's server. It is started now if it is the first one,
    /// or replaces another.
    pub(crate) fn prepare(
        &mut self,
        connection: &'a Connection,
        rig: &mut Rig,
        module: &Module,
    ) -> Result<usize, StartError> {
        let current = self.current.get(&connection.to).copied();
        if let (None, Some(current)) = (&connection.replacement, current) {
            return Ok(current);
        }
        let proxy = connection.replacement.as_ref();
        let proxy = proxy.unwrap_or(&self.case.inbound);
        let sidecar = rig.start_inbound(inbound(self.case, proxy, module))?;
        let number = self.proxies.len();
        self.proxies.push(Running::new(proxy, sidecar));
        self.current.insert(connection.to, number);
        Ok(number)
    }

    pub(crate) fn get_mut(&mut self, number: usize) -> &mut Running<'a> {
        &mut self.proxies[number]
    }

    /// All proxies of servers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Running<'a>> {
        self.proxies.iter()
    }
}
