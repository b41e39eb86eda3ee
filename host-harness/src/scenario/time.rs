//! Durations in scenario files.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Reads `15s`, `500ms` or `2m`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?)
}

/// Reads a duration, or null.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse(&text)).transpose()
}

fn parse<E: serde::de::Error>(text: &str) -> Result<Duration, E> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let millis = match (digits.parse::<u64>(), unit) {
        (Ok(number), "ms") => Some(number),
        (Ok(number), "s") => number.checked_mul(1_000),
        (Ok(number), "m") => number.checked_mul(60_000),
        _ => None,
    };
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| E::custom(format!("{text:?} is no duration: write 500ms, 15s or 2m")))
}
