//! Two proxies in a row.

use std::time::Duration;

use crate::clock::Clock;
use crate::l4::{Connection, Path};
use crate::property::{Cluster, UpstreamHost};
use crate::sidecar::{Sidecar, SidecarBuilder, StartError, advance};
use crate::tls::Tls;

/// Client application → outbound proxy → inbound proxy → server application, in one process and on
/// one clock.
pub struct Rig {
    /// The client's proxy.
    pub outbound: Sidecar,
    /// The server's proxy.
    pub inbound: Sidecar,
    /// The proxies of other servers.
    others: Vec<Sidecar>,
    clock: Clock,
}

/// The configuration of a [`Rig`].
#[derive(Debug, Clone)]
pub struct RigBuilder {
    outbound: SidecarBuilder,
    inbound: SidecarBuilder,
}

impl Rig {
    /// Configures a rig of two proxies. Either may be a [`Sidecar::passthrough`].
    pub fn builder(outbound: SidecarBuilder, inbound: SidecarBuilder) -> RigBuilder {
        RigBuilder { outbound, inbound }
    }

    /// Opens a connection from the client application to the server application.
    pub fn connect(&self) -> Connection {
        self.connect_greeted(b"")
    }

    /// Opens a connection to a server that sends a greeting before the handshake between the
    /// proxies is complete.
    pub fn connect_greeted(&self, greeting: impl AsRef<[u8]>) -> Connection {
        let (cluster, host) = self.outbound.envoy().default_upstream();
        self.connect_to(&self.inbound, cluster, host, greeting)
    }

    /// Opens a connection to the server behind `inbound`, which the client's proxy reaches as this
    /// host of this cluster. The server sends a greeting, which may be empty, before the handshake
    /// between the proxies is complete.
    pub fn connect_to(
        &self,
        inbound: &Sidecar,
        cluster: Cluster,
        host: UpstreamHost,
        greeting: impl AsRef<[u8]>,
    ) -> Connection {
        let (outbound, inbound) = (self.outbound.envoy(), inbound.envoy());
        let first = outbound.accept_to(cluster, host);
        let path = Path::new(first, outbound.clone(), vec![inbound.clone()]);
        outbound.register(&path);
        inbound.register(&path);
        Connection::open(path, greeting.as_ref().to_vec())
    }

    /// Starts the proxy of another server, or the one that replaces a server's proxy, on the clock
    /// of the rig.
    ///
    /// # Errors
    /// See [`SidecarBuilder::start`].
    pub fn start_inbound(&mut self, inbound: SidecarBuilder) -> Result<Sidecar, StartError> {
        let inbound = inbound.clock(&self.clock).start()?;
        self.others.push(inbound.clone());
        Ok(inbound)
    }

    /// Moves the clock of all proxies and delivers every tick that becomes due.
    pub fn advance(&self, by: Duration) {
        let mut sidecars = vec![self.outbound.clone(), self.inbound.clone()];
        sidecars.extend(self.others.iter().cloned());
        advance(&self.clock, &sidecars, by);
    }
}

impl RigBuilder {
    /// Sets mutual TLS between the proxies, with the URI SANs of the client's and the server's
    /// certificate.
    #[must_use]
    pub fn mtls(mut self, client: &str, server: &str) -> Self {
        // The newest version that an Envoy offers as a client unless it is configured to.
        let version = "TLSv1.2";
        let (client_end, server_end) = (Tls::mutual(client, server), Tls::mutual(server, client));
        self.outbound = self.outbound.upstream_tls(client_end.version(version));
        self.inbound = self.inbound.downstream_tls(server_end.version(version));
        self
    }

    /// Starts both proxies.
    ///
    /// # Errors
    /// See [`SidecarBuilder::start`].
    pub fn start(self) -> Result<Rig, StartError> {
        let clock = Clock::default();
        Ok(Rig {
            outbound: self.outbound.clock(&clock).start()?,
            inbound: self.inbound.clock(&clock).start()?,
            others: Vec::new(),
            clock,
        })
    }
}
