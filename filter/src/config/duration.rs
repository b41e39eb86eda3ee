//! Durations in Go's notation: `15s`, `1m30s`, `500ms`.

use std::fmt;
use std::time::Duration;

/// The longest period: proxy-wasm takes a tick period as 32 bits of milliseconds.
const MAX: Duration = Duration::from_millis(u32::MAX as u64);

/// Why a text is no duration of a host's tick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DurationError {
    /// Not a sequence of numbers with units.
    Unparsable,
    /// Below zero.
    Negative,
    /// Above zero and below a millisecond: the host would turn the tick off.
    BelowMillisecond,
    /// More milliseconds than fit into 32 bits.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unparsable => {
                "is no duration; write a number and a unit (ns, us, ms, s, m, h), like 15s or 1m30s"
            }
            Self::Negative => "is negative; write 0 or more",
            Self::BelowMillisecond => "is shorter than 1ms, the finest tick a host has",
            Self::TooLong => "is longer than 1193h, the longest tick a host has",
        })
    }
}

/// Displays a duration in Go's notation: `5m`, `1h30m`, `500ms`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct GoDuration(pub(crate) Duration);

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        let rest = Duration::new(seconds % 60, self.0.subsec_nanos());
        if rest.is_zero() && seconds > 0 {
            return Ok(());
        }
        write!(f, "{rest:?}")
    }
}

/// Parses a duration in Go's notation (`time.ParseDuration`).
///
/// # Errors
/// The text is no duration, or not one that a host's tick can have.
pub(super) fn parse(text: &str) -> Result<Duration, DurationError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let nanos = if digits == "0" {
        0
    } else {
        nanoseconds(digits)?
    };
    if negative && nanos > 0 {
        return Err(DurationError::Negative);
    }
    let duration = u64::try_from(nanos)
        .map(Duration::from_nanos)
        .unwrap_or(Duration::MAX);
    if duration > MAX {
        return Err(DurationError::TooLong);
    }
    if !duration.is_zero() && duration < Duration::from_millis(1) {
        return Err(DurationError::BelowMillisecond);
    }
    Ok(duration)
}

/// The sum of all `number unit` pairs.
fn nanoseconds(mut rest: &str) -> Result<u128, DurationError> {
    if rest.is_empty() {
        return Err(DurationError::Unparsable);
    }
    let mut total = 0u128;
    while !rest.is_empty() {
        let number = leading(rest, |c| c.is_ascii_digit() || c == '.');
        rest = rest.get(number.len()..).unwrap_or_default();
        let unit = leading(rest, |c| !c.is_ascii_digit() && c != '.');
        rest = rest.get(unit.len()..).unwrap_or_default();
        total = total.saturating_add(scaled(number, unit)?);
    }
    Ok(total)
}

fn leading(text: &str, matches: impl Fn(char) -> bool) -> &str {
    text.split(|c| !matches(c)).next().unwrap_or_default()
}

/// `number` × `unit` in nanoseconds; digits below a nanosecond are cut off, as in Go.
fn scaled(number: &str, unit: &str) -> Result<u128, DurationError> {
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(DurationError::Unparsable),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(DurationError::Unparsable);
    }
    let mut nanos = 0u128;
    for digit in whole.bytes() {
        nanos = nanos
            .saturating_mul(10)
            .saturating_add(u128::from(digit.wrapping_sub(b'0')) * unit);
    }
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.saturating_add(u128::from(digit.wrapping_sub(b'0')) * place);
    }
    Ok(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_parse() {
        for (text, millis) in [
            ("15s", 15_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("0.5s", 500),
            (".5s", 500),
            ("1.s", 1_000),
            ("+2s", 2_000),
            ("1h", 3_600_000),
            ("1500us", 1),
            ("2000000ns", 2),
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("1ms", 1),
            ("4294967295ms", 4_294_967_295),
        ] {
            let parsed = parse(text).map(|duration| duration.as_millis());
            assert_eq!(parsed, Ok(millis), "{text}");
        }
    }

    #[test]
    fn durations_are_displayed_as_in_go() {
        for text in [
            "0ns", "500ms", "1.5ms", "1s", "59s", "1m", "1m1s", "1h", "1h1m1.5s", "25h",
        ] {
            let duration = parse(text).expect(text);
            assert_eq!(GoDuration(duration).to_string(), text);
        }
        assert_eq!(GoDuration(Duration::from_secs(300)).to_string(), "5m");
        assert_eq!(GoDuration(Duration::from_secs(5400)).to_string(), "1h30m");
    }

    #[test]
    fn each_error_has_its_variant() {
        for (text, fault) in [
            ("", DurationError::Unparsable),
            ("-", DurationError::Unparsable),
            ("15", DurationError::Unparsable),
            ("s", DurationError::Unparsable),
            (".s", DurationError::Unparsable),
            ("1.2.3s", DurationError::Unparsable),
            ("15 s", DurationError::Unparsable),
            ("15sec", DurationError::Unparsable),
            ("0x10s", DurationError::Unparsable),
            ("-1s", DurationError::Negative),
            ("999us", DurationError::BelowMillisecond),
            ("1ns", DurationError::BelowMillisecond),
            ("999999ns", DurationError::BelowMillisecond),
            ("1200h", DurationError::TooLong),
            ("4294967296ms", DurationError::TooLong),
            (
                "99999999999999999999999999999999999999999999h",
                DurationError::TooLong,
            ),
        ] {
            assert_eq!(parse(text), Err(fault), "{text:?}");
        }
    }
}
