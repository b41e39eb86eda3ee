//! The plugin configuration: JSON text, parsed once. Every error names the place of its key.
//!
//! It is the part of Istio's `stats.PluginConfig` that concerns TCP, with additional keys.

mod cel;
mod definitions;
mod duration;
mod error;
mod exchange;
mod expression;
mod label_notices;
mod limits;
mod metrics;
mod notices;
mod suggestion;
mod value;

use std::time::Duration;

use value::{Field, Object};

use crate::labels::{FLAG_SEPARATORS, Naming, Reporter, is_separator};

pub use cel::Cel;
pub use definitions::Definition;
pub use duration::DurationError;
pub(crate) use duration::GoDuration;
pub use error::ConfigError;
pub use exchange::{Mode, PeerExchange};
pub use expression::ExpressionError;
pub(crate) use expression::{ExpressionId, ExpressionValues, Expressions, PEER_MAPS};
pub use limits::{Limits, Ports};
pub use metrics::MetricConfig;
pub use notices::Notices;

/// The default of `tcp_reporting_duration` (that of Istio's Wasm filter).
pub const DEFAULT_REPORTING_DURATION: Duration = Duration::from_secs(15);

/// Keys of Istio's configuration without an effect here, and the reason.
const WITHOUT_EFFECT: [(&str, &str); 4] = [
    ("disable_host_header_fallback", "TCP has no host header"),
    ("max_peer_cache_size", "the cache of peers has a fixed size"),
    ("rotation_interval", "series are kept"),
    ("graceful_deletion_interval", "series are kept"),
];

/// The values of `reporter`. The first two are Istio's.
const REPORTERS: [(&str, Option<Reporter>); 4] = [
    ("UNSPECIFIED", None),
    ("SERVER_GATEWAY", Some(Reporter::Waypoint)),
    ("SOURCE", Some(Reporter::Source)),
    ("DESTINATION", Some(Reporter::Destination)),
];

/// The plugin's configuration.
///
/// An empty text and `{}` are the defaults: a `WasmPlugin` without `pluginConfig` delivers zero
/// bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// How metrics are named: `stat_prefix`, `field_separator`, `value_separator`,
    /// `response_flags_separator`.
    pub naming: Naming,
    /// How often open connections are reported; zero: only at their close.
    pub tcp_reporting_duration: Duration,
    /// Changes to the metrics' labels.
    pub metrics: Vec<MetricConfig>,
    /// The user's own metrics.
    pub definitions: Vec<Definition>,
    /// The value of the label `reporter`; `None`: it follows from the direction of the listener.
    pub(crate) reporter: Option<Reporter>,
    /// Whether every connection is logged.
    pub debug: bool,
    /// On which connections frames are read and written.
    pub peer_exchange: PeerExchange,
    /// Labels of this workload in its frame, besides Istio's fixed ones.
    pub additional_labels: Vec<String>,
    /// Bounds on memory and work that peers can cause.
    pub limits: Limits,
    /// The connections that the filter handles.
    pub ports: Ports,
    /// Whether the opt-in metrics are recorded.
    pub extended_metrics: bool,
    /// Whether each connection's peer is written to its filter state, even if no expression of this
    /// configuration can read it there.
    pub publish_peer: bool,
    /// Lines for the log about keys without the expected effect.
    pub notices: Notices,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            tcp_reporting_duration: DEFAULT_REPORTING_DURATION,
            metrics: Vec::new(),
            definitions: Vec::new(),
            reporter: None,
            debug: false,
            peer_exchange: PeerExchange::default(),
            additional_labels: Vec::new(),
            limits: Limits::default(),
            ports: Ports::default(),
            extended_metrics: false,
            publish_peer: true,
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
        "publish_peer",
        "disable_host_header_fallback",
        "max_peer_cache_size",
        "rotation_interval",
        "graceful_deletion_interval",
    ];

    /// Parses the bytes of the plugin's configuration.
    ///
    /// # Errors
    /// The first error, with the place of the key, its value and the allowed values.
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
                // Its entries may name any definition.
                "metrics" => metrics = Some(field),
                _ => config.read(&field)?,
            }
        }
        if let Some(field) = metrics {
            let metrics = metrics::metrics(&field, &config.definitions, &mut config.notices)?;
            label_notices::check(&metrics, &config.naming, &mut config.notices);
            config.metrics = metrics.into_iter().map(|(_, metric)| metric).collect();
        }
        config.naming.max_value_len = config.limits.max_label_length;
        Ok(config)
    }

    fn read(&mut self, field: &Field<'_>) -> Result<(), ConfigError> {
        match field.name() {
            "tcp_reporting_duration" => self.tcp_reporting_duration = field.duration()?,
            "definitions" => self.definitions = definitions::definitions(field, &mut self.notices)?,
            "reporter" => {
                self.reporter = field.one_of(&REPORTERS)?;
            }
            "stat_prefix" => self.naming.prefix = field.identifier(field.string()?)?,
            "field_separator" => self.naming.field_separator = separator(field)?,
            "value_separator" => self.naming.value_separator = separator(field)?,
            "response_flags_separator" => {
                self.naming.flag_separator = field.one_of(&FLAG_SEPARATORS)?;
            }
            "debug" => self.debug = field.boolean()?,
            "peer_exchange" => {
                self.peer_exchange = PeerExchange::parse(&field.object()?, &mut self.notices)?;
            }
            "additional_labels" => self.additional_labels = field.strings()?,
            "limits" => self.limits = Limits::parse(&field.object()?)?,
            "ports" => self.ports = Ports::parse(&field.object()?)?,
            "extended_metrics" => self.extended_metrics = field.boolean()?,
            "publish_peer" => self.publish_peer = field.boolean()?,
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
    if is_separator(text) {
        return Ok(text.to_owned());
    }
    Err(ConfigError::Separator {
        path: field.path().to_owned(),
        found: text.to_owned(),
    })
}

#[cfg(test)]
mod tests;
