//! The plugin configuration: JSON text, parsed once, every fault named by its path.
//!
//! It is Istio's `stats.PluginConfig`, as far as it concerns TCP, with keys of our own beside it.

mod duration;
mod error;
mod exchange;
pub(crate) mod expression;
mod limits;
mod metrics;
mod suggestion;
mod value;

use std::time::Duration;

pub use duration::DurationError;
pub use error::ConfigError;
pub use exchange::{Mode, PeerExchange};
pub use expression::ExpressionError;
pub use limits::{Limits, Ports};
pub use metrics::{Cel, Definition, MetricConfig};
use value::{Field, Object};

use crate::labels::naming::{self, Naming};

/// How often open connections are reported when the configuration does not say (Istio's Wasm default).
pub const DEFAULT_REPORTING_DURATION: Duration = Duration::from_secs(15);

/// Fields of Istio's configuration that change nothing about TCP, or nothing any more.
const WITHOUT_EFFECT: [(&str, &str); 4] = [
    ("disable_host_header_fallback", "TCP has no host header"),
    ("max_peer_cache_size", "the cache of peers has a fixed size"),
    ("rotation_interval", "series are kept"),
    ("graceful_deletion_interval", "series are kept"),
];

/// The plugin's configuration.
///
/// An empty text and `{}` are the defaults: a `WasmPlugin` without `pluginConfig` delivers zero bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// How metrics are named: `stat_prefix`, `field_separator`, `value_separator`,
    /// `response_flags_separator`.
    pub naming: Naming,
    /// How often open connections are reported; zero means only when they close.
    pub tcp_reporting_duration: Duration,
    /// Changes to the metrics' labels.
    pub metrics: Vec<MetricConfig>,
    /// Metrics of the user's own.
    pub definitions: Vec<Definition>,
    /// Whether this is a gateway in front of servers: `reporter: SERVER_GATEWAY`.
    pub server_gateway: bool,
    /// Whether every connection is logged.
    pub debug: bool,
    /// How peers learn of each other.
    pub peer_exchange: PeerExchange,
    /// Labels of this workload that its frame carries besides Istio's fixed ones.
    pub additional_labels: Vec<String>,
    /// What peers can make the filter keep, send and read.
    pub limits: Limits,
    /// The connections that the filter looks at.
    pub ports: Ports,
    /// Whether the metrics that Istio does not have are recorded.
    pub extended_metrics: bool,
    /// What does not do what one may think, and why: lines for the log.
    pub notices: Notices,
}

/// Lines for the log about keys that are accepted and do not do what one may think.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Notices(Vec<String>);

impl Notices {
    fn no_effect(&mut self, path: &str, reason: &str) {
        self.0.push(format!("{path} has no effect: {reason}"));
    }

    fn ignored(&mut self, paths: &str, reason: &str) {
        self.0.push(format!("{paths} ignored: {reason}"));
    }

    fn hint(&mut self, path: &str, hint: &str) {
        self.0.push(format!("{path}: {hint}"));
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            tcp_reporting_duration: DEFAULT_REPORTING_DURATION,
            metrics: Vec::new(),
            definitions: Vec::new(),
            server_gateway: false,
            debug: false,
            peer_exchange: PeerExchange::default(),
            additional_labels: Vec::new(),
            limits: Limits::default(),
            ports: Ports::default(),
            extended_metrics: false,
            notices: Notices::default(),
        }
    }
}

impl Config {
    const KEYS: &'static [&'static str] = &[
        "tcp_reporting_duration",
        "metrics",
        "definitions",
        "reporter",
        "stat_prefix",
        "field_separator",
        "value_separator",
        "response_flags_separator",
        "debug",
        "peer_exchange",
        "additional_labels",
        "limits",
        "ports",
        "extended_metrics",
        "disable_host_header_fallback",
        "max_peer_cache_size",
        "rotation_interval",
        "graceful_deletion_interval",
    ];

    /// Parses the bytes that the host delivers as the plugin's configuration.
    ///
    /// # Errors
    /// The first fault, with the path of the key, what was found and what is allowed.
    pub fn parse(raw: &[u8]) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if raw.iter().all(u8::is_ascii_whitespace) {
            return Ok(config);
        }
        let document = serde_json::from_slice(raw).map_err(|error| match is_text(raw) {
            true => ConfigError::NotJson {
                reason: error.to_string(),
            },
            false => ConfigError::NotText,
        })?;
        let mut metrics = None;
        for field in Object::root(&document)?.fields()? {
            match field.name() {
                // Read when all definitions are known.
                "metrics" => metrics = Some(field),
                _ => config.read(&field)?,
            }
        }
        if let Some(field) = metrics {
            config.metrics = metrics::metrics(
                &field,
                &config.definitions,
                &config.naming,
                &mut config.notices,
            )?;
        }
        config.naming.max_value_len = config.limits.max_label_length;
        Ok(config)
    }

    fn read(&mut self, field: &Field<'_>) -> Result<(), ConfigError> {
        match field.name() {
            "tcp_reporting_duration" => self.tcp_reporting_duration = duration::of(field)?,
            "definitions" => self.definitions = metrics::definitions(field, &mut self.notices)?,
            "reporter" => {
                self.server_gateway =
                    field.one_of(&[("UNSPECIFIED", false), ("SERVER_GATEWAY", true)])?;
            }
            "stat_prefix" => self.naming.prefix = field.identifier(field.string()?)?,
            "field_separator" => self.naming.field_separator = separator(field)?,
            "value_separator" => self.naming.value_separator = separator(field)?,
            "response_flags_separator" => {
                self.naming.flag_separator = field.one_of(&naming::FLAG_SEPARATORS)?;
            }
            "debug" => self.debug = field.boolean()?,
            "peer_exchange" => self.peer_exchange = PeerExchange::parse(&field.object()?)?,
            "additional_labels" => self.additional_labels = field.strings()?,
            "limits" => self.limits = Limits::parse(&field.object()?)?,
            "ports" => self.ports = Ports::parse(&field.object()?)?,
            "extended_metrics" => self.extended_metrics = field.boolean()?,
            name => match WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
                Some((_, reason)) => self.notices.no_effect(field.path(), reason),
                None => return Err(field.unknown(Self::KEYS)),
            },
        }
        Ok(())
    }
}

/// JSON has no control characters but white space.
fn is_text(raw: &[u8]) -> bool {
    raw.iter()
        .all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}

fn separator(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.string()?;
    if naming::is_separator(text) {
        return Ok(text.to_owned());
    }
    Err(ConfigError::Separator {
        path: field.path().to_owned(),
        found: text.to_owned(),
    })
}

#[cfg(test)]
mod tests;
