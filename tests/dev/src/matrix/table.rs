//! The table of the cells in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::{Cell, Verdict};
use mesh::error::{Error, Result};
use mesh::situation::Situation;

const BEGIN: &str = "<!-- made by `cargo matrix --write` -->\n";
const END: &str = "<!-- end -->\n";

/// Renders a table with a row for each release and a column for each situation.
#[must_use]
pub fn table(cells: &[Cell]) -> String {
    let mut text = String::from("| Stock Envoy |");
    for situation in Situation::ALL {
        let _infallible = write!(text, " {} |", title(situation));
    }
    text.push_str("\n| --- | --- | --- | --- |\n");
    let mut versions: Vec<&str> = cells.iter().map(|cell| cell.version.as_str()).collect();
    versions.dedup();
    for version in versions {
        let _infallible = write!(text, "| {version} |");
        for cell in cells.iter().filter(|cell| cell.version == version) {
            let _infallible = write!(text, " {} |", verdict(&cell.verdict));
        }
        text.push('\n');
    }
    text
}

/// Replaces the table in a document.
///
/// # Errors
/// The document has no place for a table.
pub fn insert(document: &str, table: &str, file: &Path) -> Result<String> {
    let parts = document.split_once(BEGIN).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(END)?;
        Some((head, tail))
    });
    let (head, tail) = parts.ok_or_else(|| {
        let what = format!("{}: a place for the table", file.display());
        Error::malformed(what, format!("no {BEGIN:?} and {END:?}"))
    })?;
    Ok(format!("{head}{BEGIN}{table}{END}{tail}"))
}

fn title(situation: Situation) -> &'static str {
    match situation {
        Situation::Plain => "plaintext",
        Situation::Exchange => "mTLS and exchange",
        Situation::Telemetry => "mTLS, telemetry only",
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::NoWasm => "no Wasm in this build".to_owned(),
        Verdict::Ran { passed, failed } if failed.is_empty() => format!("{passed} of {passed}"),
        Verdict::Ran { passed, failed } => {
            let names: BTreeSet<_> = failed.iter().map(|name| format!("`{name}`")).collect();
            let names: Vec<_> = names.into_iter().collect();
            let all = passed + failed.len();
            format!("{passed} of {all}; not {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(situation: Situation, verdict: Verdict) -> Cell {
        Cell {
            version: "1.40.0".to_owned(),
            situation,
            verdict,
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_situation() {
        let ran = |failed: &[&str]| Verdict::Ran {
            passed: 3,
            failed: failed.iter().map(ToString::to_string).collect(),
        };
        let cells = [
            cell(Situation::Plain, ran(&[])),
            cell(Situation::Exchange, ran(&["a::b"])),
            cell(Situation::Telemetry, Verdict::NoWasm),
        ];
        let row = "| 1.40.0 | 3 of 3 | 3 of 4; not `a::b` | no Wasm in this build |\n";
        assert!(table(&cells).ends_with(row), "{}", table(&cells));
    }

    #[test]
    fn the_table_replaces_the_previous_one() {
        let document = format!("before\n{BEGIN}old\n{END}after\n");
        let inserted = insert(&document, "new\n", Path::new("page")).expect("there is a place");
        assert_eq!(inserted, format!("before\n{BEGIN}new\n{END}after\n"));
        assert!(insert("nothing", "new\n", Path::new("page")).is_err());
    }
}
