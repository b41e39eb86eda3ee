//! Texts with parts at fixed places, such as the path of a SPIFFE id.

/// The largest number of parts: those of Consul's SPIFFE ids.
const MAX: usize = 9;

/// The parts of a text, none of them empty. They are on the stack, which saves allocations for
/// every new peer.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    parts: [&'a str; MAX],
    count: usize,
}

impl<'a> Parts<'a> {
    /// The parts between separators; `None` if one is empty or there are too many.
    pub(crate) fn of(text: &'a str, separator: char) -> Option<Self> {
        let mut parts = [""; MAX];
        let mut count = 0;
        for part in text.split(separator) {
            *parts.get_mut(count)? = Some(part).filter(|part| !part.is_empty())?;
            count += 1;
        }
        Some(Self { parts, count })
    }

    pub(crate) fn as_slice(&self) -> &[&'a str] {
        self.parts.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_is_empty_and_there_are_not_too_many() {
        let found = |text| Parts::of(text, '.').map(|parts| parts.as_slice().join(" "));
        for (text, parts) in [
            ("a", Some("a")),
            ("a.b.c", Some("a b c")),
            ("1.2.3.4.5.6.7.8.9", Some("1 2 3 4 5 6 7 8 9")),
            ("1.2.3.4.5.6.7.8.9.0", None),
            ("", None),
            (".a", None),
            ("a.", None),
            ("a..b", None),
        ] {
            assert_eq!(found(text).as_deref(), parts, "{text}");
        }
    }
}
