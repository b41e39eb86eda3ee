//! The table of the checks in the page about compatibility.

use mesh::{page, workspace};

use super::checks::{Check, ENVOY_GATEWAY};
use crate::error::{Error, Result};
use crate::tools::FAMILIES;

const PAGE: &str = "filter/docs/compatibility.md";
const COMMAND: &str = "cargo istio suite --write";
const ISTIO: &str = "istio.io/istio v0.0.0-";
const GATEWAY: &str = "github.com/envoyproxy/gateway v";

/// Writes the table: a row for each overlay.
pub(super) fn write(passed: &[&Check], failed: &[&Check]) -> Result<()> {
    let text = render(&versions()?, passed, failed);
    Ok(page::replace(
        &workspace::root().join(PAGE),
        COMMAND,
        &text,
    )?)
}

fn render([istio, gateway]: &[String; 2], passed: &[&Check], failed: &[&Check]) -> String {
    let mut overlays: Vec<&str> = Vec::new();
    for check in passed.iter().chain(failed) {
        if !overlays.contains(&check.overlay) {
            overlays.push(check.overlay);
        }
    }
    let mut text =
        String::from("| Control plane | Overlay | Passed | Checks |\n| --- | --- | --- | --- |\n");
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
        let version = if overlay == ENVOY_GATEWAY {
            gateway
        } else {
            istio
        };
        text.push_str(&format!(
            "| {version} | {overlay} | {number} of {all} | {list} |\n"
        ));
    }
    text
}

/// The versions of Istio and Envoy Gateway in the `go.mod` of their families. That of Istio is a
/// commit of the branch master, by its date.
fn versions() -> Result<[String; 2]> {
    let date = of_module(ISTIO, |version| {
        let (year, rest) = version.get(..8)?.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        Some(format!("Istio, master of {year}-{month}-{day}"))
    });
    let gateway = of_module(GATEWAY, |version| Some(format!("Envoy Gateway {version}")));
    Ok([date?, gateway?])
}

/// The version in the line that begins with this text.
fn of_module(line: &str, read: impl Fn(&str) -> Option<String>) -> Result<String> {
    let families = FAMILIES.iter().flat_map(|family| family.sources);
    let mut lines = families.flat_map(|(_, content)| content.lines());
    let found = lines.find_map(|own| {
        let version = own.trim().strip_prefix(line)?;
        read(version.split_whitespace().next()?)
    });
    found.ok_or_else(|| Error::object("go.mod", format!("it has no line {line}")))
}

#[cfg(test)]
mod tests {
    use super::super::checks::CHECKS;
    use super::*;

    #[test]
    fn a_row_has_the_checks_of_an_overlay() {
        let of = |name: &str| CHECKS.iter().find(|check| check.name == name).unwrap();
        let passed = [of("exchange"), of("uninstall"), of("envoy-gateway")];
        let both = ["Istio 1", "Envoy Gateway 2"].map(str::to_owned);
        let text = render(&both, &passed, &[of("headless")]);
        let rows: Vec<_> = text.lines().skip(2).collect();
        let expected = [
            "| Istio 1 | overlays/exchange | 1 of 2 | `exchange`; not `headless` |",
            "| Istio 1 | overlays/uninstall | 1 of 1 | `uninstall` |",
            "| Envoy Gateway 2 | envoy-gateway | 1 of 1 | `envoy-gateway` |",
        ];
        assert_eq!(rows, expected);
        let [istio, gateway] = versions().unwrap();
        assert!(istio.starts_with("Istio, master of 20"), "{istio}");
        assert!(gateway.starts_with("Envoy Gateway 1."), "{gateway}");
    }
}
