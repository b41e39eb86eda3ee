//! The environment of an exchange.

use std::fmt;

use super::local::LocalExchange;
use crate::config::{GoDuration, PeerExchange};
use crate::host::attributes::{Attributes, path};
use crate::host::{Host, Warnings};
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

    /// Logs that the connection's upstream gets no frame for a while.
    pub(super) fn warn_disabled(&self, address: &str) {
        if !self.warnings.allow() {
            return;
        }
        let cluster = self.attributes.text(path::CLUSTER);
        log::warn!(
            "peer exchange to {address} (cluster {}) disabled for {}: the server answered without it",
            cluster.as_deref().unwrap_or("unknown"),
            GoDuration(self.config.refused_duration),
        );
    }
}
