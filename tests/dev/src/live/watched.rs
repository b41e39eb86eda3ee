//! The data of the page: the graph of a mesh, its rates and its ages, from a Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh::labels::Reporter;
use mesh::prometheus::Api;
use mesh::topology::{Graph, Link};
use serde::Serialize;

use super::error::{Error, Result};
use super::names::Names;
use super::queries::{self, Ends, Exchange, Rates};

/// A Prometheus, and what does not change between two looks.
#[derive(Debug)]
pub(super) struct Watched {
    api: Api,
    /// The period of rates.
    window: Duration,
    names: Option<Names>,
    /// The first sample of each link.
    first_seen: BTreeMap<Ends, f64>,
}

/// The current state of the mesh.
#[derive(Debug, Serialize)]
pub(super) struct Mesh {
    /// The URL of Prometheus.
    prometheus: String,
    /// Why it does not answer now.
    pub(super) error: Option<String>,
    /// The time of Prometheus, in seconds since 1970.
    now: f64,
    /// The period of rates, in seconds.
    window: u64,
    /// The workloads whose sidecars report.
    sidecars: BTreeSet<String>,
    nodes: BTreeSet<String>,
    edges: Vec<Moving>,
    exchange: Exchange,
}

/// A link, its rates and its age.
#[derive(Debug, Serialize)]
struct Moving {
    #[serde(flatten)]
    link: Link,
    opened_per_second: f64,
    received_per_second: f64,
    sent_per_second: f64,
    /// The time of the first sample, in seconds since 1970.
    since: Option<f64>,
    /// Whether it is older than the period in which that is looked for.
    is_older: bool,
}

impl Watched {
    pub(super) fn new(prometheus: &str, window: Duration) -> Self {
        Self {
            api: Api::new(prometheus),
            window,
            names: None,
            first_seen: BTreeMap::new(),
        }
    }

    /// Asks Prometheus for everything.
    pub(super) fn look(&mut self) -> Result<Mesh> {
        let failed = |error: mesh::Error| Error::no_prometheus(&self.api.url(), &error);
        let now = queries::now(&self.api).map_err(failed)?;
        let (names, series) = queries::totals(&self.api).map_err(failed)?;
        if series.is_empty() {
            return Err(Error::NoSeries {
                url: self.api.url(),
            });
        }
        let rates = queries::rates(&self.api, names, self.window).map_err(failed)?;
        let exchange = queries::exchange(&self.api, self.window).map_err(failed)?;
        let graph = Graph::read(&series);
        let is_new = |link: &Link| !self.first_seen.contains_key(&link.ends());
        if self.names != Some(names) || graph.edges.iter().any(is_new) {
            self.first_seen = queries::first_seen(&self.api, names, now).map_err(failed)?;
            self.names = Some(names);
        }
        Ok(Mesh {
            prometheus: self.api.url(),
            error: None,
            now,
            window: self.window.as_secs(),
            sidecars: sidecars(&graph),
            nodes: graph.nodes,
            edges: graph
                .edges
                .into_iter()
                .map(|link| self.moving(link, &rates, now))
                .collect(),
            exchange,
        })
    }

    fn moving(&self, link: Link, rates: &BTreeMap<Ends, Rates>, now: f64) -> Moving {
        let ends = link.ends();
        let rates = rates.get(&ends).copied().unwrap_or_default();
        let since = self.first_seen.get(&ends).copied();
        Moving {
            link,
            opened_per_second: rates.opened,
            received_per_second: rates.received,
            sent_per_second: rates.sent,
            since,
            is_older: since.is_some_and(|since| since < queries::horizon(now)),
        }
    }
}

/// The ends that report a link.
fn sidecars(graph: &Graph) -> BTreeSet<String> {
    let ends = graph.edges.iter().flat_map(|link| {
        let reporters = link.reporters.keys();
        reporters.map(|reporter| match reporter {
            Reporter::Source => link.source.clone(),
            Reporter::Destination => link.destination.clone(),
        })
    });
    ends.collect()
}
