//! Two proxies in a row.

use crate::clock::Clock;
use crate::host::Tls;
use crate::l4::Connection;
use crate::sidecar::{Sidecar, SidecarBuilder, StartError, advance};
use std::time::Duration;

/// Client application → outbound proxy → inbound proxy → server application, in one process and on one clock.
pub struct Rig {
    /// The client's proxy.
    pub outbound: Sidecar,
    /// The server's proxy.
    pub inbound: Sidecar,
    clock: Clock,
}

/// A [`Rig`] to be started.
#[derive(Debug, Clone)]
pub struct RigBuilder {
    outbound: SidecarBuilder,
    inbound: SidecarBuilder,
}

impl Rig {
    /// A rig of two proxies; either may be a [`Sidecar::passthrough`].
    #[allow(clippy::new_ret_no_self, reason = "it reads as what it is")]
    pub fn new(outbound: SidecarBuilder, inbound: SidecarBuilder) -> RigBuilder {
        RigBuilder { outbound, inbound }
    }

    /// Opens a connection from the client application to the server application.
    pub fn connect(&self) -> Connection {
        self.connect_greeted(b"")
    }

    /// Opens a connection to a server that speaks first, before the handshake between the proxies is finished.
    pub fn connect_greeted(&self, greeting: impl AsRef<[u8]>) -> Connection {
        let hops = vec![
            self.outbound
                .inner()
                .accept()
                .in_front_of(self.inbound.inner()),
            self.inbound.inner().accept(),
        ];
        Connection::open(hops, greeting.as_ref().to_vec())
    }

    /// Moves the clock of both proxies, delivering every tick that falls due on the way.
    pub fn advance(&self, by: Duration) {
        advance(
            &self.clock,
            &[self.outbound.clone(), self.inbound.clone()],
            by,
        );
    }
}

impl RigBuilder {
    /// Mutual TLS between the proxies: the URI SANs of the client's and of the server's certificate.
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
