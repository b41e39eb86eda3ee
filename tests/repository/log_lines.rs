//! The table of log lines in the operations page has exactly the log lines of the filter.

mod files;

use std::collections::BTreeSet;
use std::fs;

use mesh::testing::Result;
use mesh::workspace;

const PAGE: &str = "filter/docs/operations.md";
const HEADING: &str = "## Log lines";

/// The text that replaces an argument of a line.
const GAP: &str = "…";

/// Lines that the code composes: their macro has only gaps, or gaps and a colon. Each has words
/// that are in the sources.
const COMPOSED: [(&str, &str); 7] = [
    ("… has no effect: …", "has no effect: "),
    ("… ignored: …", " ignored: "),
    (
        "…: … ends like …; its expression in stats_tags has to be …",
        "; its expression in stats_tags has to be ",
    ),
    ("…: …", "TCP connections do not have "),
    (
        "…: a second frame follows the first: the peer has two exchange filters",
        "a second frame follows the first: the peer has two exchange filters",
    ),
    ("…: malformed frame: …", "malformed frame: "),
    ("…: …; connection closed", "; connection closed"),
];

/// A log line: its level and its text, with gaps.
type Line = (String, String);

#[test]
fn the_page_has_every_log_line() -> Result {
    let sources = sources()?;
    let mut expected = BTreeSet::new();
    for text in &sources {
        expected.extend(lines_of(text)?);
    }
    assert!(expected.len() > 15, "{expected:?}");
    expected.retain(|(_, text)| !matches!(text.as_str(), "…" | "…: …"));
    for (line, words) in COMPOSED {
        let is_there = sources.iter().any(|text| text.contains(words));
        assert!(is_there, "no source has {words:?} of the line {line:?}");
        expected.insert(("warning".to_owned(), line.to_owned()));
    }
    let page = rows(&fs::read_to_string(workspace::root().join(PAGE))?)?;
    let missing: Vec<_> = expected.difference(&page).collect();
    let superfluous: Vec<_> = page.difference(&expected).collect();
    assert!(
        missing.is_empty() && superfluous.is_empty(),
        "{PAGE} lacks {missing:#?}\nand has {superfluous:#?}, which the filter does not log"
    );
    Ok(())
}

#[test]
fn the_level_and_the_gaps_of_a_macro_are_read() -> Result {
    let text = "log::warn!(\"one {a:?}\"); f(); log::error!(\n \"two {} \\\n   three\",\n x);";
    let expected = [("error", "two … three"), ("warning", "one …")];
    let expected = expected.map(|(level, text)| (level.to_owned(), text.to_owned()));
    assert_eq!(lines_of(text)?, BTreeSet::from(expected));
    Ok(())
}

/// The sources of the core and the shell, without tests.
fn sources() -> Result<Vec<String>> {
    let mut sources = Vec::new();
    for path in files::all()? {
        let name = path.strip_prefix(workspace::root())?.display().to_string();
        let is_source = name.starts_with("filter/src") || name.starts_with("filter/shell/src");
        if is_source && name.ends_with(".rs") && !name.contains("tests") {
            sources.push(fs::read_to_string(&path)?);
        }
    }
    Ok(sources)
}

/// The lines that a source logs.
fn lines_of(source: &str) -> Result<BTreeSet<Line>> {
    let mut lines = BTreeSet::new();
    for (macro_name, level) in [
        ("debug", "debug"),
        ("info", "info"),
        ("warn", "warning"),
        ("error", "error"),
    ] {
        for rest in source.split(&format!("log::{macro_name}!(")).skip(1) {
            let text = rest.trim_start().strip_prefix('"');
            let (text, _) = text
                .and_then(|text| text.split_once('"'))
                .ok_or("the macro has no text")?;
            lines.insert((level.to_owned(), with_gaps(text)));
        }
    }
    Ok(lines)
}

/// A format string with a gap for each argument, and without breaks.
fn with_gaps(format: &str) -> String {
    let mut line = String::new();
    let mut parts = format.split("\\\n");
    line.push_str(parts.next().unwrap_or_default());
    for part in parts {
        line.push_str(part.trim_start());
    }
    let mut text = String::new();
    let mut rest = line.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        text.push_str(GAP);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    text + rest
}

/// The rows of the page's table.
fn rows(page: &str) -> Result<BTreeSet<Line>> {
    let (_, section) = page.split_once(HEADING).ok_or("no section on log lines")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut rows = BTreeSet::new();
    for row in section.lines().filter(|line| line.contains("| `")) {
        let mut cells = row.trim_start_matches('|').split('|').map(str::trim);
        let (level, text) = (cells.next(), cells.next());
        let text = text.ok_or("a row without a line")?.trim_matches('`');
        rows.insert((level.unwrap_or_default().to_owned(), text.to_owned()));
    }
    Ok(rows)
}
