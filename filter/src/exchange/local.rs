//! This proxy's side of every exchange.

use crate::config::Mode;

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
}
