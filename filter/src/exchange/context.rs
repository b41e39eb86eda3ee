//! The environment of an exchange.

use std::fmt;

use super::local::LocalExchange;
use super::proofs::{Proofs, Server};
use crate::config::PeerExchange;
use crate::host::attributes::{Attributes, path};
use crate::host::{Host, Status, Warnings};
use crate::labels::Reporter;
use crate::series::Diagnostics;

/// The host's attributes of the connection, and the state that all exchanges of a plugin share.
pub(crate) struct ExchangeContext<'a, H> {
    pub(crate) attributes: Attributes<'a, H>,
    pub(crate) config: &'a PeerExchange,
    pub(crate) local: &'a LocalExchange,
    pub(crate) diagnostics: &'a Diagnostics,
    pub(crate) warnings: &'a Warnings,
}

impl<H: Host> ExchangeContext<'_, H> {
    /// Logs a warning about the connection, with the peer's address.
    pub(crate) fn warn(&self, reporter: Reporter, reason: &dyn fmt::Display) {
        if !self.warnings.allow() {
            return;
        }
        let path = match reporter {
            Reporter::Source => path::UPSTREAM_ADDRESS,
            Reporter::Destination | Reporter::Waypoint => path::SOURCE_ADDRESS,
        };
        let address = self.attributes.text(path);
        log::warn!("{}: {reason}", address.as_deref().unwrap_or("unknown peer"));
    }

    /// The proofs that servers read frames.
    pub(super) fn proofs(&self) -> Proofs<'_, H> {
        Proofs::new(self.attributes.host(), self.config.proof_duration)
    }

    /// Logs that a proof was not stored.
    pub(super) fn check_stored(&self, server: &Server, stored: Result<(), Status>) {
        if let Err(status) = stored
            && self.warnings.allow()
        {
            let (cluster, address) = server.parts();
            log::warn!(
                "storing that {address} (cluster {cluster}) reads frames failed: {status}; it gets none"
            );
        }
    }

    /// The server answered a frame without one: counts it. `refused`: whether it was stored that no
    /// proof admits another for a while.
    pub(super) fn unanswered(
        &self,
        reporter: Reporter,
        server: &Server,
        refused: Result<(), Status>,
    ) {
        self.diagnostics.unanswered_frame(reporter);
        if !self.warnings.allow() {
            return;
        }
        let (cluster, address) = server.parts();
        match refused {
            Ok(()) => log::warn!(
                "{address} (cluster {cluster}) did not answer a frame with one: if it lost its exchange filter, its \
                 application received the frame; it gets no other for {:?}",
                self.config.proof_duration
            ),
            Err(status) => log::warn!(
                "{address} (cluster {cluster}) did not answer a frame with one: if it lost its exchange filter, its \
                 application received the frame; storing this failed: {status}; it gets others if it sends one"
            ),
        }
    }
}
