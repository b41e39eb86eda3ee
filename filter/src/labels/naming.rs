//! The encoding of labels in the name of a stat.
//!
//! A stat of a proxy-wasm filter has nothing but a name, so its labels are a part of the name:
//! `reporter=.=source;.;source_workload=.=ratings-v2;.;…istio_tcp_sent_bytes_total`. The
//! bootstrap's `stats_tags` take them out again with one expression a label,
//! `(L=\.=(.*?);\.;)`. Values are therefore cleaned of all that could read as a separator, there or
//! in the lines of a statsd sink, which Envoy fills in as they are.

use std::borrow::Cow;

/// The longest value of a label unless configured, in bytes. Kubernetes names have 253 at most, a
/// SPIFFE id of Istio's form about 350.
pub(crate) const DEFAULT_MAX_VALUE_LEN: usize = 512;

/// The separators of tags and fields in the lines of Envoy's statsd sinks: `,` and `|` in
/// DogStatsD's, `;` in Graphite's. A line ends with a control character, which no value has either.
const SINK_SEPARATORS: [char; 3] = [',', '|', ';'];

/// The separators of response flags: Envoy's comma, or one that no sink has.
pub(crate) const FLAG_SEPARATORS: [(&str, &str); 5] =
    [(",", ","), ("-", "-"), (".", "."), ("_", "_"), ("/", "/")];

/// How stats are named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Naming {
    /// In front of every metric's name, with `_` between them.
    pub prefix: String,
    /// Behind each label.
    pub field_separator: String,
    /// Between a label and its value.
    pub value_separator: String,
    /// Between two response flags.
    pub flag_separator: &'static str,
    /// The longest value, in bytes; the rest is cut off.
    pub max_value_len: usize,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            prefix: "istio".to_owned(),
            field_separator: ";.;".to_owned(),
            value_separator: "=.=".to_owned(),
            flag_separator: ",",
            max_value_len: DEFAULT_MAX_VALUE_LEN,
        }
    }
}

impl Naming {
    /// The full name of a metric.
    pub(crate) fn metric(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    /// The expression of `stats_tags` that extracts the label, and not the end of a longer label.
    pub(crate) fn anchored_tag(&self, label: &str) -> String {
        let (field, value) = (escape(&self.field_separator), escape(&self.value_separator));
        format!("(?:^wasmcustom\\.|{field})({label}{value}(.*?){field})")
    }

    /// Appends one encoded label.
    pub(crate) fn push_label(&self, head: &mut String, label: &str, value: &str) {
        self.push(head, label, &self.clean(value, &SINK_SEPARATORS));
    }

    /// Appends one encoded label whose value is the proxy's own configuration.
    pub(crate) fn push_configured(&self, head: &mut String, label: &str, value: &str) {
        self.push(head, label, &self.clean(value, &[]));
    }

    /// Appends the encoded label whose value is a list of response flags, joined by `,`.
    pub(crate) fn push_flags(&self, head: &mut String, label: &str, flags: &str) {
        self.push(head, label, &self.flags(flags));
    }

    fn push(&self, head: &mut String, label: &str, value: &str) {
        head.push_str(label);
        head.push_str(&self.value_separator);
        head.push_str(value);
        head.push_str(&self.field_separator);
    }

    /// A stat with other response flags in one of its labels; as it is, if it does not have the
    /// label.
    pub(crate) fn replace_flags(&self, stat: &str, label: &str, flags: &str) -> String {
        let begin = format!("{label}{}", self.value_separator);
        let replaced: Vec<Cow<'_, str>> = stat
            .split(self.field_separator.as_str())
            .map(|part| match part.starts_with(&begin) {
                true => Cow::Owned(format!("{begin}{}", self.flags(flags))),
                false => Cow::Borrowed(part),
            })
            .collect();
        replaced.join(&self.field_separator)
    }

    /// The value with `_` in the place of the encoding's separators, of `others` and of control
    /// characters.
    fn clean<'a>(&self, value: &'a str, others: &[char]) -> Cow<'a, str> {
        let value = sanitize(value, self.max_value_len);
        if value.bytes().all(is_plain) {
            return value;
        }
        let is_separator = |c: char| others.contains(&c) || self.separates(c);
        match value.contains(is_separator) {
            true => Cow::Owned(value.replace(is_separator, "_")),
            false => value,
        }
    }

    /// Response flags with the configured separator; `_` for a comma that separates labels.
    fn flags(&self, flags: &str) -> String {
        let separator = match self.flag_separator {
            "," if self.separates(',') => "_",
            separator => separator,
        };
        flags.replace(',', separator)
    }

    /// Whether a character is a part of the encoding's separators, and of no name.
    fn separates(&self, c: char) -> bool {
        is_separating(c) && (self.field_separator.contains(c) || self.value_separator.contains(c))
    }
}

/// Whether a label's name ends with another's: an expression of `stats_tags` for the other one
/// finds it in both, if it has no anchor.
pub(crate) fn ends_like(longer: &str, label: &str) -> bool {
    longer.len() > label.len() && longer.ends_with(label)
}

/// A peer's text for a log: at most `max` bytes, cut between characters, with `_` in the place of
/// control characters.
pub(crate) fn sanitize(text: &str, max: usize) -> Cow<'_, str> {
    let text = text
        .get(..text.floor_char_boundary(max))
        .unwrap_or_default();
    match text.bytes().all(is_plain) || !text.contains(char::is_control) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.replace(char::is_control, "_")),
    }
}

/// The text as a regular expression that matches it.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Whether a byte is a character that is never replaced. Most values have no others.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || PLAIN.as_bytes().contains(&byte)
}

/// Whether a text can separate values: at least one of its characters is in no name, address or
/// SPIFFE id, so it can be replaced in values.
pub(crate) fn is_separator(text: &str) -> bool {
    text.contains(is_separating) && !text.contains(char::is_control)
}

/// Whether an expression is a path in the proxy's own configuration, whose value no peer chooses.
pub(crate) fn is_configuration(expression: &str) -> bool {
    const ROOTS: [&str; 6] = [
        "cluster_metadata",
        "cluster_name",
        "listener_direction",
        "listener_metadata",
        "node",
        "upstream_host_metadata",
    ];
    let path = expression.trim_ascii();
    let path = path.strip_prefix("xds.").unwrap_or(path);
    let root = path.split(['.', '[']).next();
    root.is_some_and(|root| ROOTS.contains(&root))
        && path
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-/[]'\"".contains(c))
}

/// The characters of names, addresses and SPIFFE ids besides letters and digits.
const PLAIN: &str = "._-/:";

/// Whether a character can be a part of separators only, and not of names.
fn is_separating(c: char) -> bool {
    !c.is_control() && !c.is_alphanumeric() && !PLAIN.contains(c)
}

#[cfg(test)]
mod tests;
