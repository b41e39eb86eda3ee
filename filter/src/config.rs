//! The plugin configuration: JSON text, parsed once, every fault named by its path.

mod duration;
mod value;

use std::time::Duration;

pub use duration::DurationError;
pub use value::ConfigError;
use value::{Field, Object};

/// How often open connections are reported when the configuration does not say (Istio's Wasm default).
pub const DEFAULT_REPORTING_DURATION: Duration = Duration::from_secs(15);

/// The plugin's configuration.
///
/// An empty text and `{}` are the defaults: a `WasmPlugin` without `pluginConfig` delivers zero bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// How often open connections are reported; zero means only when they close.
    pub tcp_reporting_duration: Duration,
    /// How peers learn of each other.
    pub peer_exchange: PeerExchange,
    /// Labels of this workload that its frame carries besides Istio's fixed ones.
    pub additional_labels: Vec<String>,
}

/// `peer_exchange`: whether, where and how the exchange is done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerExchange {
    /// When to write a frame and when to look for one.
    pub mode: Mode,
    /// Whether outbound connections offer the ALPN of the exchange on their own.
    pub advertise_alpn: bool,
    /// Clusters whose hosts take part even if their metadata does not say so.
    pub clusters: Vec<String>,
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
    const NAMES: [(&'static str, Self); 4] = [
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

impl Default for Config {
    fn default() -> Self {
        Self {
            tcp_reporting_duration: DEFAULT_REPORTING_DURATION,
            peer_exchange: PeerExchange::default(),
            additional_labels: Vec::new(),
        }
    }
}

impl Default for PeerExchange {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            advertise_alpn: true,
            clusters: Vec::new(),
        }
    }
}

impl Config {
    /// Parses the bytes that the host delivers as the plugin's configuration.
    ///
    /// # Errors
    /// The first fault, with the path of the key, what was found and what is allowed.
    pub fn parse(raw: &[u8]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if raw.iter().all(u8::is_ascii_whitespace) {
            return Ok(config);
        }
        let document = serde_json::from_slice(raw).map_err(ConfigError::not_json)?;
        for field in Object::root(&document)?.fields() {
            match field.name() {
                "tcp_reporting_duration" => {
                    config.tcp_reporting_duration = reporting_duration(&field)?
                }
                "peer_exchange" => config.peer_exchange = PeerExchange::parse(&field.object()?)?,
                "additional_labels" => config.additional_labels = field.strings()?,
                _ => {
                    return Err(field.unknown(&[
                        "tcp_reporting_duration",
                        "peer_exchange",
                        "additional_labels",
                    ]));
                }
            }
        }
        Ok(config)
    }
}

impl PeerExchange {
    fn parse(object: &Object<'_>) -> Result<Self, ConfigError> {
        let mut parsed = Self::default();
        for field in object.fields() {
            match field.name() {
                "mode" => parsed.mode = field.one_of(&Mode::NAMES)?,
                "advertise_alpn" => parsed.advertise_alpn = field.boolean()?,
                "clusters" => parsed.clusters = field.strings()?,
                _ => return Err(field.unknown(&["mode", "advertise_alpn", "clusters"])),
            }
        }
        Ok(parsed)
    }
}

fn reporting_duration(field: &Field<'_>) -> Result<Duration, ConfigError> {
    let text = field.string()?;
    duration::parse(text).map_err(|reason| field.duration(text, reason))
}

#[cfg(test)]
mod tests;
