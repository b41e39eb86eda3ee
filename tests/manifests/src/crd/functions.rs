//! Kubernetes' CEL functions that Istio's rules use, and JSON as CEL values.

use std::collections::HashMap;
use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;

/// Nanoseconds of the units of Go's durations.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Declares the functions.
pub(super) fn register(context: &mut Context<'_, '_>) -> Result<(), cel::DeclarationError> {
    context.add_function("isURL", |text: Arc<String>| is_url(&text))?;
    context.add_function("url", |text: Arc<String>| {
        if is_url(&text) {
            Ok(text)
        } else {
            Err(ExecutionError::function_error(
                "url",
                format!("`{text}` is not a URL"),
            ))
        }
    })?;
    context.add_function("getScheme", |This(url): This<Arc<String>>| {
        scheme(&url).unwrap_or_default().to_owned()
    })?;
    // As a number of nanoseconds, which compares like a duration.
    context.add_function("duration", |text: Arc<String>| {
        nanoseconds(&text).ok_or_else(|| {
            ExecutionError::function_error("duration", format!("`{text}` is not a duration"))
        })
    })
}

/// Converts JSON to CEL: whole numbers are ints.
pub(super) fn value(json: &Value) -> Cel {
    match json {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Cel::Int(number),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => items.iter().map(value).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, member)| (name.clone(), value(member)));
            members.collect::<HashMap<String, Cel>>().into()
        }
    }
}

/// As in Kubernetes: an absolute URI or an absolute path.
fn is_url(text: &str) -> bool {
    let printable = !text.contains(|character: char| character.is_control() || character == ' ');
    printable && (text.starts_with('/') || scheme(text).is_some())
}

fn scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    let known = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    let named =
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.chars().all(known);
    (named && !rest.is_empty()).then_some(scheme)
}

/// Parses a duration of Go.
fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    loop {
        let digits =
            rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let end = after.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit, next) = after.split_at_checked(end.unwrap_or(after.len()))?;
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        total += number.parse::<f64>().ok()? * factor;
        if next.is_empty() {
            return Some((sign * total) as i64);
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_as_in_go() {
        assert_eq!(nanoseconds("1ms"), Some(1_000_000));
        assert_eq!(nanoseconds("1m30s"), Some(90_000_000_000));
        assert_eq!(nanoseconds("-1.5h"), Some(-5_400_000_000_000));
        for wrong in ["", "1", "s", "1d", "1s2"] {
            assert_eq!(nanoseconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_registry_without_a_scheme_is_not_a_url() {
        assert!(is_url("oci://registry.example.com/filter:1"));
        assert_eq!(scheme("oci://registry.example.com/filter:1"), Some("oci"));
        assert!(is_url("http://registry.example.com/filter:1"));
        assert!(!is_url("registry.example.com/filter"));
        assert!(!is_url("oci://with space"));
    }
}
