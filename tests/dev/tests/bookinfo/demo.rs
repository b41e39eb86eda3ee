//! The output of `cargo demo --topology bookinfo`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::process::Command;

use serde::Deserialize;

pub(crate) const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// Source, destination, security, flags and reporters.
pub(crate) const EDGES: [[&str; 5]; 10] = [
    ["unknown", "productpage-v1", "none", "-", "destination"],
    ["productpage-v1", "details-v1", "mutual_tls", "-", "both"],
    ["productpage-v1", "reviews-v3", "mutual_tls", "-", "both"],
    [
        "productpage-v1",
        "PassthroughCluster",
        "unknown",
        "-",
        "source",
    ],
    ["details-v1", "mysqldb-v1", "mutual_tls", "-", "both"],
    ["details-v1", "books.example.com", "unknown", "-", "source"],
    ["reviews-v3", "ratings-v2", "mutual_tls", "-", "both"],
    ["reviews-v3", "BlackHoleCluster", "unknown", "UH", "source"],
    ["ratings-v2", "mongodb-v1", "mutual_tls", "-", "both"],
    ["ratings-v2", "mysqldb-v1", "mutual_tls", "-", "both"],
];

#[derive(Debug, Deserialize)]
struct Document {
    ok: bool,
    graph: Graph,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Graph {
    nodes: BTreeSet<String>,
    edges: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    source: String,
    destination: String,
    security: String,
    flags: String,
    opened: u64,
    closed: u64,
    open: u64,
    received: u64,
    sent: u64,
    reporters: BTreeMap<String, Counts>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Counts {
    opened: u64,
    closed: u64,
    received: u64,
    sent: u64,
}

#[derive(Debug, Deserialize)]
struct Check {
    what: String,
    ok: bool,
    detail: String,
}

#[test]
fn the_graph_has_every_edge_with_its_counts() -> Result<(), Box<dyn Error>> {
    let output = Command::new(DEMO)
        .args(["--topology", "bookinfo", "--json"])
        // Long enough for an exchange on a busy machine: labels are final after one interval
        // without an exchange.
        .args(["--reporting-duration", "3s"])
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let document: Document = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{error}, in {:?}; {errors}", output.stdout))?;
    let failed: Vec<_> = document.checks.iter().filter(|check| !check.ok).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(document.ok && output.status.success(), "{errors}");
    for Check { what, detail, .. } in &document.checks {
        assert!(!what.is_empty() && !detail.is_empty());
    }

    let found: BTreeSet<_> = document.graph.edges.iter().map(Edge::summary).collect();
    let wanted: BTreeSet<_> = EDGES.map(|edge| edge.map(str::to_owned)).into();
    assert_eq!(found, wanted);
    let ends = EDGES.iter().flat_map(|edge| [edge[0], edge[1]]);
    assert_eq!(document.graph.nodes, ends.map(str::to_owned).collect());
    for edge in &document.graph.edges {
        edge.check();
    }
    Ok(())
}

impl Edge {
    fn summary(&self) -> [String; 5] {
        let reporters: Vec<_> = self.reporters.keys().map(String::as_str).collect();
        let reporter = match reporters.as_slice() {
            [one] => *one,
            _ => "both",
        };
        [
            &self.source,
            &self.destination,
            &self.security,
            &self.flags,
            reporter,
        ]
        .map(|text| text.to_owned())
    }

    /// Checks that the counts are consistent.
    fn check(&self) {
        let stays_open = self.destination == "mongodb-v1";
        assert_eq!(self.open, u64::from(stays_open), "{self:?}");
        assert_eq!(self.opened, self.closed + self.open, "{self:?}");
        assert!(self.opened > 0, "{self:?}");
        let nobody_there = self.flags == "UH";
        assert_eq!(self.received == 0, nobody_there, "{self:?}");
        assert_eq!(self.sent == 0, nobody_there, "{self:?}");
        let counts = Counts {
            opened: self.opened,
            closed: self.closed,
            received: self.received,
            sent: self.sent,
        };
        for (reporter, reported) in &self.reporters {
            assert_eq!(reported, &counts, "{reporter} of {self:?}");
        }
    }
}
