//! `limits` and `ports`: what the filter keeps away from.

use std::ops::RangeInclusive;

use super::ConfigError;
use super::value::{Field, Object};
use crate::labels::naming::DEFAULT_MAX_VALUE_LEN;

/// `limits`: what peers can make the filter keep, send and read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How many series one VM keeps before peers are no longer told apart.
    pub max_series: usize,
    /// The longest label value, in bytes; the rest is cut off.
    pub max_label_length: usize,
    /// The longest payload of a peer's frame, in bytes. Istio's senders write 0.5 to 2 KiB.
    pub max_frame_bytes: u32,
}

/// `ports`: the connections that the filter looks at, by the port that the client asked for
/// (`destination.port`). It lets all others pass, unseen and uncounted.
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
        }
    }
}

impl Limits {
    const KEYS: &'static [&'static str] = &["max_series", "max_label_length", "max_frame_bytes"];

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

    /// Whether every port is looked at.
    pub fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether connections to this port are looked at.
    pub fn contains(&self, port: u16) -> bool {
        (self.include.is_empty() || self.include.contains(&port)) && !self.exclude.contains(&port)
    }
}

fn list(field: &Field<'_>) -> Result<Vec<u16>, ConfigError> {
    let items = field.list("a list of ports")?;
    let port = |item: &Field<'_>| Ok(u16::try_from(item.integer(1..=65_535)?).unwrap_or(u16::MAX));
    items.iter().map(port).collect()
}

fn size(field: &Field<'_>, allowed: RangeInclusive<u64>) -> Result<usize, ConfigError> {
    Ok(usize::try_from(field.integer(allowed)?).unwrap_or(usize::MAX))
}
