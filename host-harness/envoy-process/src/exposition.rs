//! Reads the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

/// A label set.
pub type Labels = BTreeMap<String, String>;

/// One sample line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    #[serde(serialize_with = "as_whole_number")]
    pub value: f64,
}

/// All samples of one scrape, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    series: Vec<Series>,
}

impl Exposition {
    /// Parses a text exposition.
    ///
    /// # Errors
    /// A line is malformed; the error is that of the first one.
    pub fn parse(text: &str) -> Result<Self> {
        let samples = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let series = samples.map(|(index, line)| {
            parse_sample(line).map_err(|reason| Error::Exposition {
                line: index + 1,
                reason,
                text: line.to_owned(),
            })
        });
        Ok(Self {
            series: series.collect::<Result<_>>()?,
        })
    }

    /// All series.
    pub fn iter(&self) -> impl Iterator<Item = &Series> {
        self.series.iter()
    }

    /// All series with a name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.name == name)
    }

    /// The one series of this name whose labels include `labels`.
    ///
    /// # Errors
    /// None or several match. The message lists every series with this name.
    pub fn one(&self, name: &str, labels: &[(&str, &str)]) -> Result<&Series> {
        let mut matching = self.named(name).filter(|series| series.has(labels));
        match (matching.next(), matching.count()) {
            (Some(series), 0) => Ok(series),
            (first, more) => {
                let candidates: Vec<String> = self.named(name).map(Series::to_string).collect();
                Err(Error::SeriesNotUnique {
                    found: usize::from(first.is_some()) + more,
                    wanted: format!("{name}{labels:?}"),
                    candidates: candidates.join("\n"),
                })
            }
        }
    }

    /// The sum of all series of this name whose labels include `labels`; 0 if there are none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.named(name)
            .filter(|series| series.has(labels))
            .map(|series| series.value)
            .sum()
    }

    /// The series that occur a second time: a correct exposition has none.
    #[must_use]
    pub fn duplicates(&self) -> Vec<&Series> {
        let mut seen = std::collections::BTreeSet::new();
        self.series
            .iter()
            .filter(|series| !seen.insert((&series.name, &series.labels)))
            .collect()
    }
}

impl From<Vec<Series>> for Exposition {
    fn from(series: Vec<Series>) -> Self {
        Self { series }
    }
}

impl Series {
    /// Whether its labels include all of `labels`.
    #[must_use]
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels
            .iter()
            .all(|(name, value)| self.labels.get(*name).is_some_and(|own| own == value))
    }
}

impl Display for Series {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        write!(f, "{}{{{}}} {}", self.name, labels.join(","), self.value)
    }
}

/// Writes a whole number, such as a counter's value, without a decimal point.
fn as_whole_number<S: Serializer>(
    value: &f64,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

fn parse_sample(line: &str) -> Result<Series, &'static str> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return Err("no name");
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Labels::new(), rest),
    };
    // A timestamp may follow the value.
    let value = rest.split_whitespace().next().ok_or("no value")?;
    let value = value.parse().map_err(|_| "the value is not a number")?;
    Ok(Series {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// Parses the text after the opening brace. Returns the labels and the text after the closing one.
fn parse_labels(mut rest: &str) -> Result<(Labels, &str), &'static str> {
    let mut labels = Labels::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"").ok_or("a label without a value")?;
        let (value, after) = parse_quoted(quoted)?;
        if labels.insert(name.trim().to_owned(), value).is_some() {
            return Err("a label occurs twice");
        }
        rest = after.strip_prefix(',').unwrap_or(after);
        if rest == after && !rest.starts_with('}') {
            return Err("neither a comma nor a brace after a label");
        }
    }
}

/// Parses the text after the opening quote. Returns the value and the text after the closing one.
fn parse_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return Ok((value, text.get(index + 1..).unwrap_or_default())),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                _ => return Err("an unknown escape"),
            },
            char => value.push(char),
        }
    }
    Err("a quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_labels_with_escapes_and_values() {
        let text =
            "# TYPE a counter\na{x=\"1,}\",y=\"q\\\"\\\\\\n\"} 3\n\nb 1.5e3 1700000000\nc{} +Inf\n";
        let exposition = Exposition::parse(text).unwrap();
        let a = exposition.one("a", &[("x", "1,}")]).unwrap();
        assert_eq!(a.labels["y"], "q\"\\\n");
        assert_eq!(a.value, 3.0);
        assert_eq!(exposition.one("b", &[]).unwrap().value, 1500.0);
        assert_eq!(exposition.one("c", &[]).unwrap().value, f64::INFINITY);
    }

    #[test]
    fn names_the_malformed_line() {
        for (text, reason) in [
            (
                "ok 1\na{x=\"1\"",
                "neither a comma nor a brace after a label",
            ),
            ("ok 1\na{x=\"1\"}", "no value"),
            ("ok 1\na{x=\"1} 1", "a quote is not closed"),
            ("ok 1\na{x} 1", "a label without a value"),
            (
                "ok 1\na{x=\"1\"y=\"2\"} 1",
                "neither a comma nor a brace after a label",
            ),
            ("ok 1\na{x=\"1\",x=\"2\"} 1", "a label occurs twice"),
            ("ok 1\na{x=\"\\t\"} 1", "an unknown escape"),
            ("ok 1\na one", "the value is not a number"),
            ("ok 1\na", "no value"),
        ] {
            match Exposition::parse(text) {
                Err(Error::Exposition {
                    line: 2,
                    reason: found,
                    ..
                }) => assert_eq!(found, reason),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_failed_look_up_lists_the_candidates() {
        let exposition = Exposition::parse("a{x=\"1\"} 1\na{x=\"2\"} 2\n").unwrap();
        let none = exposition.one("a", &[("x", "3")]).unwrap_err().to_string();
        assert!(
            none.starts_with("0 series match") && none.contains("a{x=\"2\"} 2"),
            "{none}"
        );
        let two = exposition.one("a", &[]).unwrap_err().to_string();
        assert!(two.starts_with("2 series match"), "{two}");
        assert_eq!(exposition.sum("a", &[]), 3.0);
    }

    #[test]
    fn finds_duplicates() {
        let exposition = Exposition::parse("a{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 5\n").unwrap();
        let duplicates = exposition.duplicates();
        assert_eq!(duplicates.len(), 1);
        assert_eq!(duplicates[0].value, 5.0);
    }
}
