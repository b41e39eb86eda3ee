//! Durations in scenario files.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// A duration: `500ms`, `15s` or `2m`.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Text(#[schemars(regex(pattern = r"^[0-9]+(ms|s|m)$"))] String);

/// Reads a duration.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Text::deserialize(deserializer)?.parse()
}

/// Reads a duration, or null.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = Option::<Text>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose()
}

impl Text {
    fn parse<E: serde::de::Error>(&self) -> Result<Duration, E> {
        let text = &self.0;
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
}
