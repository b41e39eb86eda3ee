//! `limits` and `ports`.

use std::ops::RangeInclusive;

use super::error::ConfigError;
use super::value::{Field, Object};
use crate::labels::DEFAULT_MAX_VALUE_LEN;

/// `limits`: bounds on memory and work that peers can cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How many series one VM keeps; further peers are counted as `unknown`.
    pub max_series: usize,
    /// The longest label value, in bytes; the rest is cut off.
    pub max_label_length: usize,
    /// The longest payload of a peer's frame, in bytes. Istio's senders write 0.5 to 2 KiB.
    pub max_frame_bytes: u32,
    /// About how many bytes a VM keeps of the frames of peers, and as many of the labels computed
    /// from them. The cost of a connection from a peer that is not kept is that of a new one.
    pub peer_cache_bytes: usize,
}

/// `ports`: the connections that the filter handles, by the port that the client connected to
/// (`destination.port`). All others pass uncounted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ports {
    /// Only these; all if there are none.
    pub include: Vec<u16>,
    /// None of these.
    pub exclude: Vec<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_series: 10_000,
            max_label_length: DEFAULT_MAX_VALUE_LEN,
            max_frame_bytes: peer_exchange::DEFAULT_MAX_PAYLOAD,
            peer_cache_bytes: 8 * 1024 * 1024,
        }
    }
}

impl Limits {
    const KEYS: &'static [&'static str] = &[
        "max_series",
        "max_label_length",
        "max_frame_bytes",
        "peer_cache_bytes",
    ];

    pub(super) fn parse(object: &Object<'_>) -> Result<Self, ConfigError> {
        let mut limits = Self::default();
        for field in object.fields()? {
            match field.name() {
                "max_series" => limits.max_series = size(&field, 1..=1_000_000)?,
                "max_label_length" => limits.max_label_length = size(&field, 16..=64 * 1024)?,
                // Envoy's own buffer of a connection is 1 MiB unless configured.
                "max_frame_bytes" => {
                    limits.max_frame_bytes =
                        u32::try_from(size(&field, 1..=1024 * 1024)?).unwrap_or(u32::MAX);
                }
                "peer_cache_bytes" => {
                    limits.peer_cache_bytes = size(&field, 64 * 1024..=1024 * 1024 * 1024)?;
                }
                _ => return Err(field.unknown(Self::KEYS)),
            }
        }
        Ok(limits)
    }
}

impl Ports {
    const KEYS: &'static [&'static str] = &["include", "exclude"];

    pub(super) fn parse(object: &Object<'_>) -> Result<Self, ConfigError> {
        let mut ports = Self::default();
        for field in object.fields()? {
            match field.name() {
                "include" => ports.include = list(&field)?,
                "exclude" => ports.exclude = list(&field)?,
                _ => return Err(field.unknown(Self::KEYS)),
            }
        }
        Ok(ports)
    }

    /// Whether connections to every port are handled.
    pub fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether connections to this port are handled.
    pub fn contains(&self, port: u16) -> bool {
        (self.include.is_empty() || self.include.contains(&port)) && !self.exclude.contains(&port)
    }
}

fn list(field: &Field<'_>) -> Result<Vec<u16>, ConfigError> {
    let mut ports = Vec::new();
    for item in field.list("a list of ports")? {
        ports.push(u16::try_from(item.integer(1..=65_535)?).unwrap_or(u16::MAX));
    }
    Ok(ports)
}

fn size(field: &Field<'_>, allowed: RangeInclusive<u64>) -> Result<usize, ConfigError> {
    Ok(usize::try_from(field.integer(allowed)?).unwrap_or(usize::MAX))
}
