//! The servers of a case, and the proxies that they have had.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use host_harness::{Module, Rig, Sidecar, StartError};

use crate::case::{Case, Connection, Proxy, Server};
use crate::model::Report;
use crate::setup::inbound;

/// The servers of a case, and the proxies that they have had.
pub(crate) struct Servers<'a> {
    case: &'a Case,
    /// Those that were replaced keep their open connections.
    proxies: Vec<Rc<Running<'a>>>,
    current: BTreeMap<Server, Rc<Running<'a>>>,
}

/// A server's proxy.
pub(crate) struct Running<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) sidecar: Sidecar,
    pub(crate) reports: RefCell<Vec<Report>>,
}

impl<'a> Running<'a> {
    fn new(proxy: &'a Proxy, sidecar: Sidecar) -> Rc<Self> {
        Rc::new(Self {
            proxy,
            sidecar,
            reports: RefCell::default(),
        })
    }
}

impl<'a> Servers<'a> {
    pub(crate) fn new(case: &'a Case, rig: &Rig) -> Self {
        let first = Running::new(&case.inbound, rig.inbound.clone());
        Self {
            case,
            proxies: vec![Rc::clone(&first)],
            current: BTreeMap::from([(Server::First, first)]),
        }
    }

    /// The proxy of a connection's server. It is started now if it is the first one, or replaces
    /// another.
    pub(crate) fn prepare(
        &mut self,
        connection: &'a Connection,
        rig: &mut Rig,
        module: &Module,
    ) -> Result<Rc<Running<'a>>, StartError> {
        if connection.replacement.is_none()
            && let Some(current) = self.current.get(&connection.to)
        {
            return Ok(Rc::clone(current));
        }
        let proxy = connection.replacement.as_ref();
        let proxy = proxy.unwrap_or(&self.case.inbound);
        let sidecar = rig.start_inbound(inbound(self.case, proxy, module))?;
        let server = Running::new(proxy, sidecar);
        self.proxies.push(Rc::clone(&server));
        self.current.insert(connection.to, Rc::clone(&server));
        Ok(server)
    }

    /// All proxies of servers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Running<'a>> {
        self.proxies.iter().map(Rc::as_ref)
    }
}
