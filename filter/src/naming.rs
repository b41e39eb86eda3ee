//! How labels travel in the name of a stat.
//!
//! A stat of a proxy-wasm filter has a name and nothing else, so the labels travel inside it:
//! `reporter=.=source;.;source_workload=.=ratings-v2;.;…istio_tcp_sent_bytes_total`. The
//! bootstrap's `stats_tags` take them out again with one expression a label,
//! `(L=\.=(.*?);\.;)`. Values are therefore cleaned of all that could read as a separator.

use std::borrow::Cow;

/// The longest value of a label unless configured, in bytes. Kubernetes names have 253 at most, a
/// SPIFFE id of Istio's form about 350.
pub(crate) const DEFAULT_MAX_VALUE_LEN: usize = 512;

/// How stats are named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Naming {
    /// In front of every metric's name, with `_` between them.
    pub prefix: String,
    /// Behind each label.
    pub field_separator: String,
    /// Between a label and its value.
    pub value_separator: String,
    /// The longest value, in bytes; the rest is cut off.
    pub max_value_len: usize,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            prefix: "istio".to_owned(),
            field_separator: ";.;".to_owned(),
            value_separator: "=.=".to_owned(),
            max_value_len: DEFAULT_MAX_VALUE_LEN,
        }
    }
}

impl Naming {
    /// The full name of a metric.
    pub(crate) fn metric(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    /// Appends one encoded label.
    pub(crate) fn push_label(&self, head: &mut String, label: &str, value: &str) {
        head.push_str(label);
        head.push_str(&self.value_separator);
        head.push_str(&self.clean(value));
        head.push_str(&self.field_separator);
    }

    /// A stat with another value for one of its labels; as it is, if it does not have the label.
    pub(crate) fn replace_label(&self, stat: &str, label: &str, value: &str) -> String {
        let begin = format!("{label}{}", self.value_separator);
        let replaced: Vec<Cow<'_, str>> = stat
            .split(self.field_separator.as_str())
            .map(|part| match part.starts_with(&begin) {
                true => Cow::Owned(format!("{begin}{}", self.clean(value))),
                false => Cow::Borrowed(part),
            })
            .collect();
        replaced.join(&self.field_separator)
    }

    /// A value that cannot be mistaken for anything but a value.
    ///
    /// The characters that tell a separator from text do not survive either.
    fn clean<'a>(&self, value: &'a str) -> Cow<'a, str> {
        let unfit = |c: char| {
            tells(c) && (self.field_separator.contains(c) || self.value_separator.contains(c))
        };
        let value = tame(value, self.max_value_len);
        match value.bytes().all(is_plain) || !value.contains(unfit) {
            true => value,
            false => Cow::Owned(value.replace(unfit, "_")),
        }
    }
}

/// A text that a peer chose, made fit for a log: cut between characters to `max` bytes, without
/// control characters.
pub(crate) fn tame(text: &str, max: usize) -> Cow<'_, str> {
    let text = text
        .get(..text.floor_char_boundary(max))
        .unwrap_or_default();
    match text.bytes().all(is_plain) || !text.contains(char::is_control) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.replace(char::is_control, "_")),
    }
}

/// Whether a byte is a character that is fit for everything, as all are in most values.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || PLAIN.as_bytes().contains(&byte)
}

/// Whether a text can separate values: at least one of its characters has to be kept out of them,
/// and names, addresses and SPIFFE ids have to keep theirs.
pub(crate) fn is_separator(text: &str) -> bool {
    text.contains(tells) && !text.contains(char::is_control)
}

/// What names, addresses and SPIFFE ids have besides letters and digits.
const PLAIN: &str = "._-/:";

/// Whether a character tells a separator from the text of a value.
fn tells(c: char) -> bool {
    !c.is_control() && !c.is_alphanumeric() && !PLAIN.contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_pass_for_a_separator() {
        let naming = Naming::default();
        for (value, cleaned) in [
            ("a;.;reporter=.=x", "a_._reporter_._x"),
            ("a;", "a_"),
            ("a;.", "a_."),
            ("=", "_"),
            ("line\nbreak\r\t\u{0}\u{7f}\u{85}", "line_break_____"),
            ("quo\"te\\", "quo\"te\\"),
            ("заказ", "заказ"),
        ] {
            assert_eq!(naming.clean(value), cleaned, "{value:?}");
        }
    }

    #[test]
    fn other_separators_keep_other_characters_out() {
        let naming = Naming {
            field_separator: "||".to_owned(),
            value_separator: "-->".to_owned(),
            ..Naming::default()
        };
        assert_eq!(naming.clean("a=b;c|d>e-f"), "a=b;c_d_e-f");
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let naming = Naming::default();
        assert_eq!(naming.clean(&"x".repeat(512)).len(), 512);
        assert_eq!(naming.clean(&"x".repeat(70_000)).len(), 512);
        let odd = format!("x{}", "ж".repeat(400));
        assert_eq!(naming.clean(&odd).len(), 511);
    }

    #[test]
    fn one_label_is_replaced() {
        let naming = Naming::default();
        let stat = "a=.=1;.;flags=.=-;.;b=.=2;.;name";
        assert_eq!(
            naming.replace_label(stat, "flags", "UF"),
            "a=.=1;.;flags=.=UF;.;b=.=2;.;name"
        );
        assert_eq!(naming.replace_label(stat, "other", "UF"), stat);
        let tail = "own_flags=.=1;.;flags=.=-;.;name";
        assert_eq!(
            naming.replace_label(tail, "flags", "UF"),
            "own_flags=.=1;.;flags=.=UF;.;name"
        );
    }

    #[test]
    fn a_separator_has_a_character_of_its_own() {
        for text in [";.;", "=.=", "||", "~", "->"] {
            assert!(is_separator(text), "{text:?}");
        }
        for text in ["", ".", "ab", "_._", "-", "/", "\n;", "1:2"] {
            assert!(!is_separator(text), "{text:?}");
        }
    }
}
