//! `peer_exchange`.

use std::time::Duration;

use super::error::ConfigError;
use super::notices::Notices;
use super::value::Object;

/// The default of `proof_duration`.
const PROOF_DURATION: Duration = Duration::from_secs(60);

/// Why `refused_duration` of an earlier version has no effect.
const REFUSED_DURATION: &str =
    "frames are written only to servers that are known to read them (proof_duration)";

/// `peer_exchange`: on which connections frames are read and written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerExchange {
    /// On which connections frames are read and written.
    pub mode: Mode,
    /// Whether the filter offers the exchange's ALPN on outbound connections. The offer replaces
    /// the ALPN of every cluster behind the listener, also of servers outside the mesh, because no
    /// cluster is selected yet.
    pub advertise_alpn: bool,
    /// The offered ALPN: the exchange's name, then a name for servers without the exchange.
    pub protocols: Vec<String>,
    /// Clusters whose servers read frames from the first connection on.
    pub clusters: Vec<String>,
    /// How long a frame of a server proves that it reads frames; zero: it proves nothing.
    pub proof_duration: Duration,
}

/// `peer_exchange.mode`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// On connections whose attributes show that the peer supports the exchange; `Off` beside a
    /// native exchange filter.
    Auto,
    /// On every connection: its chain or cluster has negotiated the ALPN.
    On,
    /// Read like `auto`, never write.
    Receive,
    /// Metrics only.
    Off,
}

impl Mode {
    pub(super) const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("on", Self::On),
        ("receive", Self::Receive),
        ("off", Self::Off),
    ];

    /// Its name in the configuration.
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
            advertise_alpn: false,
            protocols: ["istio-peer-exchange", "istio"].map(str::to_owned).into(),
            clusters: Vec::new(),
            proof_duration: PROOF_DURATION,
        }
    }
}

impl PeerExchange {
    const KEYS: &'static [&'static str] = &[
        "mode",
        "advertise_alpn",
        "protocols",
        "clusters",
        "proof_duration",
    ];

    /// Parses it. The key `refused_duration` of earlier versions is accepted.
    pub(super) fn parse(object: &Object<'_>, notices: &mut Notices) -> Result<Self, ConfigError> {
        let mut parsed = Self::default();
        for field in object.fields()? {
            match field.name() {
                "mode" => parsed.mode = field.one_of(&Mode::NAMES)?,
                "advertise_alpn" => parsed.advertise_alpn = field.boolean()?,
                "protocols" => parsed.protocols = field.strings()?,
                "clusters" => parsed.clusters = field.strings()?,
                "proof_duration" => parsed.proof_duration = field.duration()?,
                "refused_duration" => notices.no_effect(field.path(), REFUSED_DURATION),
                _ => return Err(field.unknown(Self::KEYS)),
            }
        }
        Ok(parsed)
    }
}
