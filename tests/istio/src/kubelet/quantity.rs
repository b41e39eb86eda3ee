//! Kubernetes' quantities, such as `500m` and `1Gi`.

/// Suffixes and their factors, in thousandths.
const SUFFIXES: [(&str, u128); 12] = [
    ("Ki", 1000 << 10),
    ("Mi", 1000 << 20),
    ("Gi", 1000 << 30),
    ("Ti", 1000 << 40),
    ("m", 1),
    ("k", 1000 * 1000),
    ("M", 1000 * 1_000_000),
    ("G", 1000 * 1_000_000_000),
    ("T", 1000 * 1_000_000_000_000),
    ("e3", 1000 * 1000),
    ("e6", 1000 * 1_000_000),
    ("", 1000),
];

/// Parses a quantity into thousandths. `None` if it is malformed.
pub(super) fn thousandths(text: &str) -> Option<u128> {
    let (number, factor) = SUFFIXES
        .into_iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut value = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    let mut place = factor;
    for digit in fraction.chars() {
        place /= 10;
        value += u128::from(digit.to_digit(10)?) * place;
    }
    Some(value)
}

/// How often `divisor` fits into a quantity, rounded up: the value of a `resourceFieldRef`.
pub(super) fn divided(quantity: &str, divisor: Option<&str>) -> Option<u128> {
    // The API server writes `0` for a divisor that is not set.
    let divisor = divisor.filter(|divisor| *divisor != "0").unwrap_or("1");
    let divisor = thousandths(divisor).filter(|divisor| *divisor > 0)?;
    Some(thousandths(quantity)?.div_ceil(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_binary_and_decimal_suffixes() {
        for (text, value) in [
            ("2", Some(2000)),
            ("500m", Some(500)),
            ("1.5", Some(1500)),
            ("1Gi", Some(1_073_741_824_000)),
            ("2048Mi", Some(2_147_483_648_000)),
            ("1G", Some(1_000_000_000_000)),
            ("0.1", Some(100)),
            ("", None),
            ("Gi", None),
            ("-1", None),
            ("1.x", None),
        ] {
            assert_eq!(thousandths(text), value, "{text}");
        }
    }

    #[test]
    fn a_resource_is_divided_and_rounded_up() {
        assert_eq!(divided("2000m", Some("0")), Some(2));
        assert_eq!(divided("100m", None), Some(1));
        assert_eq!(divided("1Gi", Some("0")), Some(1_073_741_824));
        assert_eq!(divided("1Gi", Some("1Mi")), Some(1024));
        assert_eq!(divided("1Gi", Some("x")), None);
    }
}
