//! `peer_exchange`.

use std::time::Duration;

use super::error::ConfigError;
use super::value::Object;

/// The default of `refused_duration`.
const REFUSED_DURATION: Duration = Duration::from_secs(300);

/// `peer_exchange`: on which connections frames are read and written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerExchange {
    /// When to write a frame and when to look for one.
    pub mode: Mode,
    /// Whether outbound connections offer the ALPN of the exchange on their own.
    pub advertise_alpn: bool,
    /// The ALPN that they offer: the exchange's name first, then what a server without it takes.
    pub protocols: Vec<String>,
    /// Clusters whose hosts take part even if their metadata does not say so.
    pub clusters: Vec<String>,
    /// How long a host that answered a frame with something else gets no other one; zero: it gets
    /// one with every connection.
    pub refused_duration: Duration,
}

/// `peer_exchange.mode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Where the connection shows that the peer takes part; never beside a native exchange filter.
    Auto,
    /// Always: the chain or cluster is known to have negotiated the ALPN.
    On,
    /// Read like `auto`, never write.
    Receive,
    /// Telemetry only.
    Off,
}

impl Mode {
    pub(super) const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("on", Self::On),
        ("receive", Self::Receive),
        ("off", Self::Off),
    ];

    /// The name that the configuration uses.
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("auto", |(name, _)| name)
    }
}

impl Default for PeerExchange {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            advertise_alpn: true,
            protocols: ["istio-peer-exchange", "istio"].map(str::to_owned).into(),
            clusters: Vec::new(),
            refused_duration: REFUSED_DURATION,
        }
    }
}

impl PeerExchange {
    const KEYS: &'static [&'static str] = &[
        "mode",
        "advertise_alpn",
        "protocols",
        "clusters",
        "refused_duration",
    ];

    pub(super) fn parse(object: &Object<'_>) -> Result<Self, ConfigError> {
        let mut parsed = Self::default();
        for field in object.fields()? {
            match field.name() {
                "mode" => parsed.mode = field.one_of(&Mode::NAMES)?,
                "advertise_alpn" => parsed.advertise_alpn = field.boolean()?,
                "protocols" => parsed.protocols = field.strings()?,
                "clusters" => parsed.clusters = field.strings()?,
                "refused_duration" => parsed.refused_duration = field.duration()?,
                _ => return Err(field.unknown(Self::KEYS)),
            }
        }
        Ok(parsed)
    }
}
