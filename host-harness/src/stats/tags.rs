//! Tag extraction: labels out of stat names, as the bootstrap's `stats_config.stats_tags` says.

use regex::Regex;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Compiled expressions by their text: compiling them takes longer than all else in a short test.
static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// One tag: a name and the regex that cuts it out of a stat name.
#[derive(Debug, Clone)]
pub struct StatsTag {
    name: String,
    regex: Regex,
}

impl StatsTag {
    /// A tag whose regex has Envoy's meaning: the first group is cut out of the name, the second (else the first) is
    /// the value.
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

    /// Istio's encoding of each label `L`: `(L=\.=(.*?);\.;)`.
    pub fn labels<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<Self> {
        let tag = |name: S| {
            let name = name.as_ref();
            Self::new(name, &format!(r"({}=\.=(.*?);\.;)", regex::escape(name))).ok()
        };
        names.into_iter().filter_map(tag).collect()
    }
}

/// A stat name without its tags, and the tags in the order of their definitions. Envoy: `TagProducerImpl`.
pub(super) fn extract(name: &str, tags: &[StatsTag]) -> (String, Vec<(String, String)>) {
    let mut cuts = Vec::new();
    let mut labels = Vec::new();
    for tag in tags {
        // Every regex runs on the whole name; the cuts are made at the end.
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
    fn labels_are_cut_out_wherever_they_stand() {
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
    fn a_name_without_tags_stays() {
        assert_eq!(
            extract("wasmcustom.n", &StatsTag::labels(["reporter"])),
            ("wasmcustom.n".into(), vec![])
        );
    }
}
