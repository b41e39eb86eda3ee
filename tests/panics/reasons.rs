//! The list of reasons: a heading, the reason, and the places it is for.

/// Why a place where the filter could panic cannot be reached.
#[derive(Debug, Default)]
pub(crate) struct Reason {
    pub(crate) title: String,
    pub(crate) text: String,
    /// The places, as a `PanicSite` displays itself; `*` stands for anything.
    pub(crate) patterns: Vec<String>,
}

/// Reads all sections of the second level: list items in backticks are the places, the rest is the reason.
pub(crate) fn read(markdown: &str) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for line in markdown.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.to_owned();
            reasons.push(Reason {
                title,
                ..Reason::default()
            });
        } else if let Some(reason) = reasons.last_mut() {
            let item = line
                .strip_prefix("* `")
                .and_then(|rest| rest.strip_suffix('`'));
            match item {
                Some(pattern) => reason.patterns.push(pattern.to_owned()),
                None => reason.text.push_str(line.trim()),
            }
        }
    }
    reasons
}

impl Reason {
    pub(crate) fn explains(&self, site: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, site))
    }
}

/// The pattern matches the whole text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(end)
}

#[test]
fn a_star_stands_for_anything() {
    for (pattern, text, expected) in [
        ("a ← b", "a ← b", true),
        ("a ← b", "a ← b ← c", false),
        ("a ← *", "a ← b ← c", true),
        ("* ← b", "a ← b", true),
        ("a*b*c", "a1b2b3c", true),
        ("a*b*c", "a1c2b", false),
        ("a*a", "a", false),
        ("*", "", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
