//! The values of expressions.

/// An expression of [`Expressions`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ExpressionId(pub(super) usize);

/// The values of all expressions for one connection, as the host encodes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExpressionValues(pub(super) Vec<Vec<u8>>);

impl ExpressionValues {
    /// The value of a label; `None` if the expression has no value, or one that is neither text nor
    /// number nor boolean.
    ///
    /// The host returns bytes without their type: a string as it is, a number in 8 little-endian
    /// bytes, a boolean in one, a map or a list as pairs, a message in its wire form. 8 bytes that
    /// are text are taken for text.
    pub(crate) fn text(&self, id: ExpressionId) -> Option<String> {
        let raw = self.0.get(id.0)?.as_slice();
        match raw {
            [] => None,
            [0] => Some("false".to_owned()),
            [1] => Some("true".to_owned()),
            _ => match text(raw) {
                Some(text) => Some(text.to_owned()),
                None => number(raw).map(|number| number.to_string()),
            },
        }
    }

    /// The number of bytes of all values.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// The number of values that no label can have: maps, lists, messages and other bytes.
    pub(crate) fn unusable(&self) -> i64 {
        let unusable = self.0.iter().filter(|raw| !is_usable(raw)).count();
        i64::try_from(unusable).unwrap_or(i64::MAX)
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&self, id: ExpressionId) -> bool {
        self.0.get(id.0).is_some_and(|raw| *raw == [1])
    }

    /// The value as a number: an integer, a boolean as 0 or 1, or digits; `None` for all else.
    pub(crate) fn integer(&self, id: ExpressionId) -> Option<i64> {
        match self.0.get(id.0)?.as_slice() {
            [boolean @ (0 | 1)] => Some(i64::from(*boolean)),
            raw => {
                let digits = std::str::from_utf8(raw)
                    .ok()
                    .and_then(|text| text.parse().ok());
                digits.or_else(|| number(raw))
            }
        }
    }
}

fn is_usable(raw: &[u8]) -> bool {
    matches!(raw, [] | [0 | 1]) || text(raw).is_some() || number(raw).is_some()
}

/// The bytes as text; `None` if they are something else. Maps and lists have NULs in them; a
/// message begins with the tag of a field, which is a control character for the first three.
fn text(raw: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(raw).ok()?;
    let is_text = !text.starts_with('\n')
        && text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
    is_text.then_some(text)
}

/// 8 bytes as a whole number: an integer, or a double as all numbers of node metadata are. The
/// bits of a double, read as an integer, are larger than any attribute's.
fn number(raw: &[u8]) -> Option<i64> {
    const DOUBLES: u64 = 1 << 61;
    const MAX_WHOLE: f64 = (1u64 << 53) as f64;
    let integer = i64::from_le_bytes(raw.try_into().ok()?);
    if integer.unsigned_abs() < DOUBLES {
        return Some(integer);
    }
    let double = f64::from_bits(integer.cast_unsigned());
    (double.fract() == 0.0 && double.abs() < MAX_WHOLE).then_some(double as i64)
}
