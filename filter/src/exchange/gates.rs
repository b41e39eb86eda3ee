//! The gates of a connection's exchange: may a frame be read, may one be written?
//!
//! This is the security rule of the filter: this workload's metadata goes to peers with mutual TLS
//! that support the exchange, and frames are accepted over mutual TLS only. Mode `on` opens both
//! gates without a condition.

use crate::config::Mode;
use crate::labels::Reporter;

/// The facts that the gates depend on, besides mode and reporter.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Facts {
    /// The downstream connection has mutual TLS.
    pub(super) downstream_mtls: bool,
    /// The upstream's certificate has a SPIFFE id.
    pub(super) upstream_spiffe: bool,
    /// The upstream supports the exchange by its metadata or by the configuration.
    pub(super) upstream_supports_exchange: bool,
    /// The upstream refused a frame within `refused_duration`.
    pub(super) upstream_refused: bool,
}

/// The gates of one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Gates {
    /// Whether a frame of the peer may be read.
    pub(super) read: bool,
    pub(super) write: WriteGate,
}

/// Whether this proxy's frame may be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum WriteGate {
    Closed,
    /// Closed because the upstream refused a frame.
    Refused,
    /// Closed until the peer's frame was read.
    AfterFrame,
    /// Open. An upstream that answers without a frame refuses the exchange.
    Unconfirmed,
    Open,
}

impl Gates {
    /// Decides the gates.
    pub(super) fn decide(mode: Mode, reporter: Reporter, facts: Facts) -> Self {
        let read = match (mode, reporter) {
            (Mode::Off, _) => false,
            (Mode::On, _) => true,
            (Mode::Auto | Mode::Receive, Reporter::Source) => facts.upstream_spiffe,
            (Mode::Auto | Mode::Receive, _) => facts.downstream_mtls,
        };
        let write = match (mode, reporter) {
            _ if !read => WriteGate::Closed,
            (Mode::Off | Mode::Receive, _) => WriteGate::Closed,
            (Mode::On, _) => WriteGate::Open,
            (Mode::Auto, Reporter::Destination | Reporter::Waypoint) => WriteGate::AfterFrame,
            (Mode::Auto, Reporter::Source) => match facts {
                Facts {
                    upstream_supports_exchange: false,
                    ..
                } => WriteGate::Closed,
                Facts {
                    upstream_refused: true,
                    ..
                } => WriteGate::Refused,
                _ => WriteGate::Unconfirmed,
            },
        };
        Self { read, write }
    }

    /// The peer's frame was read.
    pub(super) fn frame_read(&mut self) {
        if self.write == WriteGate::AfterFrame {
            self.write = WriteGate::Open;
        }
    }

    pub(super) fn may_write(self) -> bool {
        matches!(self.write, WriteGate::Open | WriteGate::Unconfirmed)
    }
}

#[cfg(test)]
mod tests;
