//! Two proxies in a row.

use std::time::Duration;

use crate::clock::Clock;
use crate::l4::{Connection, Path};
use crate::sidecar::{Sidecar, SidecarBuilder, StartError, advance};
use crate::tls::Tls;

/// Client application → outbound proxy → inbound proxy → server application, in one process and on
/// one clock.
pub struct Rig {
    /// The client's proxy.
    pub outbound: Sidecar,
    /// The server's proxy.
    pub inbound: Sidecar,
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
        let (outbound, inbound) = (self.outbound.envoy(), self.inbound.envoy());
        let first = outbound.accept();
        let path = Path::new(vec![
            first.next_protocols(&inbound.application_protocols),
            inbound.accept(),
        ]);
        outbound.register(&path);
        inbound.register(&path);
        Connection::open(path, greeting.as_ref().to_vec())
    }

    /// Moves the clock of both proxies and delivers every tick that becomes due.
    pub fn advance(&self, by: Duration) {
        advance(
            &self.clock,
            &[self.outbound.clone(), self.inbound.clone()],
            by,
        );
    }
}

impl RigBuilder {
    /// Sets mutual TLS between the proxies, with the URI SANs of the client's and the server's
    /// certificate.
    #[must_use]
    pub fn mtls(mut self, client: &str, server: &str) -> Self {
        self.outbound = self.outbound.upstream_tls(Tls::mutual(client, server));
        self.inbound = self.inbound.downstream_tls(Tls::mutual(server, client));
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
            clock,
        })
    }
}
