//! The commands of the pages that lead to a running mesh, executed as they are on the page.
//!
//! This cluster has no kubelet that `kubectl exec` could ask, and no images of applications: the
//! check runs the command of `kubectl exec` in the pod's network, and has applications of its own.

mod page;
mod walk;

use std::fs;

use mesh::error::Context;
use mesh::workspace;

use self::page::{Item, items};
use self::walk::Walk;
use super::bench::Bench;
use super::expect;
use crate::error::{Error, Result};

/// The pages, the lines at which the walk-through begins and ends, and the namespace in which a
/// reader has MongoDB before it.
const PAGES: [(&str, [&str; 2], Option<&str>); 2] = [
    (
        "envoy-config/bookinfo/README.md",
        ["## With a cluster", "## Tests"],
        None,
    ),
    (
        "README.md",
        ["**On Istio**", "**On plain Envoy**"],
        Some("shop"),
    ),
];

/// Commands that are not executed, by their beginning, and why. Each must be on a page, and every
/// command that cannot be executed must be here.
const NOT_EXECUTED: [(&str, &str); 5] = [
    (
        "cargo oci build",
        "this run has built the image with it, outside of the namespaces",
    ),
    (
        "kubectl logs deployment/visitor",
        "the visitor's image is not here: connections of the check take its place",
    ),
    (
        "kubectl --namespace istio-system port-forward",
        "Prometheus is not in the cluster but beside it, and Grafana is not here",
    ),
    (
        "cargo live",
        "it runs until Ctrl-C: `cargo test --test commands live`",
    ),
    ("kill %", "it ends jobs of an interactive shell"),
];

pub(super) fn executed(bench: &mut Bench<'_>) -> Result<String> {
    let mut commands = 0;
    let mut queries = 0;
    let mut left_out = Vec::new();
    for (page, section, mongodb) in PAGES {
        let path = workspace::root().join(page);
        let text = fs::read_to_string(&path).context(|| format!("cannot read {page}"))?;
        let items = items(&text, section);
        expect::holds(!items.is_empty(), || format!("{page} has no commands"))?;
        let mut walk = Walk::start(bench)?;
        if let Some(namespace) = mongodb {
            walk.has_mongodb(namespace)?;
        }
        for item in items {
            let at = |error| Error::object(page, format!("{item:?}: {error}"));
            match &item {
                Item::Query(query) => {
                    queries += 1;
                    walk.query(query).map_err(at)?;
                }
                Item::Command(command) => {
                    let known = NOT_EXECUTED
                        .iter()
                        .find(|(begin, _)| command.starts_with(begin));
                    if let Some((begin, _)) = known {
                        left_out.push(*begin);
                        continue;
                    }
                    commands += 1;
                    walk.execute(command).map_err(at)?;
                }
            }
        }
        walk.end()?;
    }
    for (begin, _) in NOT_EXECUTED {
        expect::holds(left_out.contains(&begin), || {
            format!("no page has a command that begins with {begin:?}")
        })?;
    }
    let reasons = NOT_EXECUTED.map(|(begin, reason)| format!("`{begin}`: {reason}"));
    Ok(format!(
        "{commands} commands executed, {queries} queries with a result, {} commands left out ({})",
        left_out.len(),
        reasons.join("; ")
    ))
}
