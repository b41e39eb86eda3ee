//! The table of the cells in Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Cell, Verdict};
use mesh::situation::Situation;

/// What the exchange has to withstand, and the modules of the tests that show it.
const EXCHANGE: [(&str, &[&str]); 6] = [
    ("lazy upstreams", &["lazy::"]),
    ("server first", &["offered::"]),
    ("both at once", &["both_at_once::"]),
    ("strict ALPN, h2 tunnel", &["outside_tls::"]),
    ("two services at one address", &["one_address::"]),
    ("a server without or losing its filter", &["proofs::"]),
];

/// Renders two tables with a row for each release: all tests, a column for each situation; and those
/// of the exchange, a column for each thing that it has to withstand.
#[must_use]
pub fn table(cells: &[Cell]) -> String {
    let mut text = String::new();
    header(&mut text, Situation::ALL.map(title));
    let mut versions: Vec<&str> = cells.iter().map(|cell| cell.version.as_str()).collect();
    versions.dedup();
    for version in &versions {
        let of_version = cells.iter().filter(|cell| cell.version == *version);
        row(
            &mut text,
            version,
            of_version.map(|cell| verdict(&cell.verdict)),
        );
    }
    text.push('\n');
    header(&mut text, EXCHANGE.map(|(title, _)| title));
    let exchanging = |cell: &&Cell| cell.situation == Situation::Exchange;
    for cell in cells.iter().filter(exchanging) {
        let parts = EXCHANGE.map(|(_, modules)| verdict(&cell.verdict.of_modules(modules)));
        row(&mut text, &cell.version, parts);
    }
    text
}

fn header<const N: usize>(text: &mut String, titles: [&str; N]) {
    row(text, "Stock Envoy", titles.map(str::to_owned));
    row(text, "---", titles.map(|_| "---".to_owned()));
}

fn row(text: &mut String, first: &str, cells: impl IntoIterator<Item = String>) {
    let _infallible = write!(text, "| {first} |");
    for cell in cells {
        let _infallible = write!(text, " {cell} |");
    }
    text.push('\n');
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
        Verdict::Ran { passed, failed } if failed.is_empty() => {
            format!("{0} of {0}", passed.len())
        }
        Verdict::Ran { passed, failed } => {
            let names: BTreeSet<_> = failed.iter().map(|name| format!("`{name}`")).collect();
            let names: Vec<_> = names.into_iter().collect();
            let all = passed.len() + failed.len();
            format!("{} of {all}; not {}", passed.len(), names.join(", "))
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
            passed: ["lazy::c", "d", "e"].map(str::to_owned).into(),
            failed: failed.iter().map(ToString::to_string).collect(),
        };
        let cells = [
            cell(Situation::Plain, ran(&[])),
            cell(Situation::Exchange, ran(&["lazy::b"])),
            cell(Situation::Telemetry, Verdict::NoWasm),
        ];
        let table = table(&cells);
        let row = "| 1.40.0 | 3 of 3 | 3 of 4; not `lazy::b` | no Wasm in this build |\n\n";
        assert!(table.contains(row), "{table}");
        let row = "\n| 1.40.0 | 1 of 2; not `lazy::b` | 0 of 0 |";
        assert!(table.contains(row), "{table}");
    }
}
