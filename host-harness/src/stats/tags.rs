//! Tag extraction: labels from stat names, by `stats_config.stats_tags` of the bootstrap.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;

/// Compiled expressions by their text: compilation takes most of the time of a short test.
static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// One tag: a name, and the regex that extracts its value from a stat name.
#[derive(Debug, Clone)]
pub struct StatsTag {
    name: String,
    regex: Regex,
}

impl StatsTag {
    /// Returns a tag. As in Envoy, the regex's first group is removed from the name, and the second
    /// group, or else the first, is the value.
    ///
    /// # Errors
    /// The regex does not compile.
    pub fn new(name: impl Into<String>, regex: &str) -> Result<Self, regex::Error> {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = compiled.get(regex).cloned();
        let regex = match known {
            Some(known) => known,
            None => {
                let new = Regex::new(regex)?;
                compiled.insert(regex.to_owned(), new.clone());
                new
            }
        };
        let name = name.into();
        Ok(Self { name, regex })
    }

    /// Returns tags for labels in Istio's encoding: `(L=\.=(.*?);\.;)` for the label `L`.
    pub fn labels<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<Self> {
        let mut tags = Vec::new();
        for name in names {
            let name = name.as_ref();
            let regex = format!(r"({}=\.=(.*?);\.;)", regex::escape(name));
            tags.extend(Self::new(name, &regex));
        }
        tags
    }
}

/// Returns a stat name without its tags, and the tags in the order of their definitions. Envoy:
/// `TagProducerImpl`.
pub(super) fn extract(name: &str, tags: &[StatsTag]) -> (String, Vec<(String, String)>) {
    let mut cuts = Vec::new();
    let mut labels = Vec::new();
    for tag in tags {
        // Every regex runs on the whole name; the parts are removed at the end.
        let Some(captures) = tag.regex.captures(name) else {
            continue;
        };
        let Some(cut) = captures.get(1) else { continue };
        let value = captures.get(2).unwrap_or(cut);
        labels.push((tag.name.clone(), value.as_str().to_owned()));
        cuts.push(cut.range());
    }
    let kept = name
        .char_indices()
        .filter(|(at, _)| !cuts.iter().any(|cut| cut.contains(at)));
    (kept.map(|(_, character)| character).collect(), labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_extracted_at_any_position() {
        let tags = StatsTag::labels(["source_app", "reporter"]);
        let (name, labels) = extract(
            "wasmcustom.reporter=.=source;.;source_app=.=x.y;.;bytes_total",
            &tags,
        );
        assert_eq!(name, "wasmcustom.bytes_total");
        assert_eq!(
            labels,
            [
                ("source_app".into(), "x.y".into()),
                ("reporter".into(), "source".into())
            ]
        );
    }

    #[test]
    fn a_name_without_tags_is_unchanged() {
        assert_eq!(
            extract("wasmcustom.n", &StatsTag::labels(["reporter"])),
            ("wasmcustom.n".into(), vec![])
        );
    }
}
