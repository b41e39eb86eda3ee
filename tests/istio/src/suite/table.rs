//! The table of the checks in the page about compatibility.

use mesh::{page, workspace};

use super::checks::Check;
use crate::error::{Error, Result};
use crate::tools::FAMILIES;

const PAGE: &str = "filter/docs/compatibility.md";
const COMMAND: &str = "cargo istio suite --write";
const MODULE: &str = "istio.io/istio v0.0.0-";

/// Writes the table: a row for each overlay.
pub(super) fn write(passed: &[&Check], failed: &[&Check]) -> Result<()> {
    let text = render(&version()?, passed, failed);
    Ok(page::replace(
        &workspace::root().join(PAGE),
        COMMAND,
        &text,
    )?)
}

fn render(version: &str, passed: &[&Check], failed: &[&Check]) -> String {
    let mut overlays: Vec<&str> = Vec::new();
    for check in passed.iter().chain(failed) {
        if !overlays.contains(&check.overlay) {
            overlays.push(check.overlay);
        }
    }
    let mut text =
        String::from("| Istio | Overlay | Passed | Checks |\n| --- | --- | --- | --- |\n");
    for overlay in overlays {
        let names = |checks: &[&Check]| -> Vec<String> {
            let of = checks.iter().filter(|check| check.overlay == overlay);
            of.map(|check| format!("`{}`", check.name)).collect()
        };
        let (passed, failed) = (names(passed), names(failed));
        let all = passed.len() + failed.len();
        let mut list = passed.join(", ");
        if !failed.is_empty() {
            list = format!("{list}; not {}", failed.join(", "));
        }
        let number = passed.len();
        text.push_str(&format!(
            "| {version} | {overlay} | {number} of {all} | {list} |\n"
        ));
    }
    text
}

/// The version of Istio in its family's `go.mod`: a commit of the branch master, by its date.
fn version() -> Result<String> {
    let families = FAMILIES.iter().flat_map(|family| family.sources);
    let mut lines = families.flat_map(|(_, content)| content.lines());
    let date = lines.find_map(|line| {
        let digits = line.trim().strip_prefix(MODULE)?.get(..8)?;
        let (year, rest) = digits.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        Some(format!("master of {year}-{month}-{day}"))
    });
    date.ok_or_else(|| Error::object("go.mod", format!("it has no line {MODULE}")))
}

#[cfg(test)]
mod tests {
    use super::super::checks::CHECKS;
    use super::*;

    #[test]
    fn a_row_has_the_checks_of_an_overlay() {
        let of = |name: &str| CHECKS.iter().find(|check| check.name == name).unwrap();
        let passed = [of("exchange"), of("uninstall")];
        let text = render("master of 2026-08-27", &passed, &[of("headless")]);
        let rows: Vec<_> = text.lines().skip(2).collect();
        let expected = [
            "| master of 2026-08-27 | overlays/exchange | 1 of 2 | `exchange`; not `headless` |",
            "| master of 2026-08-27 | overlays/uninstall | 1 of 1 | `uninstall` |",
        ];
        assert_eq!(rows, expected);
        assert!(version().unwrap().starts_with("master of 20"));
    }
}
