//! This proxy's side of every exchange.

use std::cell::RefCell;
use std::time::Duration;

use super::refused::Refused;
use crate::config::Mode;
use crate::host::Host;
use crate::host::attributes::{Attributes, path};

/// This proxy's side of every exchange.
#[derive(Debug)]
pub(crate) struct LocalExchange {
    /// The mode in force.
    mode: Mode,
    /// A native exchange filter does the exchange, and this one only counts.
    is_native: bool,
    /// This workload's frame.
    frame: Vec<u8>,
    /// The longest payload of a peer's frame, in bytes.
    max_payload: u32,
    refused: RefCell<Refused>,
}

impl LocalExchange {
    /// `has_native`: a native exchange filter is compiled into the proxy. Mode `auto` is `off`
    /// then, because two exchange filters in one chain corrupt the stream.
    pub(crate) fn new(
        configured: Mode,
        has_native: bool,
        frame: Vec<u8>,
        max_payload: u32,
    ) -> Self {
        let mode = match configured {
            Mode::Auto if has_native => Mode::Off,
            mode => mode,
        };
        Self {
            mode,
            is_native: has_native && mode == Mode::Off,
            frame,
            max_payload,
            refused: RefCell::default(),
        }
    }

    /// The mode in force.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a native exchange filter does the exchange.
    pub(super) fn is_native(&self) -> bool {
        self.is_native
    }

    /// This workload's frame.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub(super) fn max_payload(&self) -> u32 {
        self.max_payload
    }

    /// Whether the connection's upstream refused a frame within `refused_duration`.
    pub(super) fn upstream_refused<H: Host>(&self, attributes: &Attributes<'_, H>) -> bool {
        let refused = self.refused.borrow();
        if refused.is_empty() {
            return false;
        }
        let address = attributes.text(path::UPSTREAM_ADDRESS).unwrap_or_default();
        let now = attributes.host().now();
        now.is_ok_and(|now| refused.contains(&address, now))
    }

    /// Records for `period` that the connection's upstream refused a frame, and returns its
    /// address; `None` if the period is zero, or the host returns no address or no time.
    pub(super) fn refuse_upstream<H: Host>(
        &self,
        attributes: &Attributes<'_, H>,
        period: Duration,
    ) -> Option<String> {
        if period.is_zero() {
            return None;
        }
        let address = attributes.text(path::UPSTREAM_ADDRESS)?;
        let now = attributes.host().now().ok()?;
        self.refused
            .borrow_mut()
            .insert(address.as_str().into(), now, period);
        Some(address)
    }
}
