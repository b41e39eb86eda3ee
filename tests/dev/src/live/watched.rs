//! The data of the page: the graph and its rates.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Source;
use mesh::Counts;
use mesh::envoy::http_get;
use mesh::exposition::Exposition;
use mesh::topology::{Graph, Link};

/// The period of rates. It spans a few reports of the demo's filters, so that rates are steady.
const WINDOW: Duration = Duration::from_secs(8);

/// The sidecars and their latest metrics.
#[derive(Debug)]
pub(super) struct Watched {
    sources: Vec<Source>,
    /// The last exposition of each sidecar, by name: a sidecar that does not answer once stays in
    /// the graph.
    latest: BTreeMap<String, Exposition>,
    /// The counts of every link, oldest first.
    history: VecDeque<(Instant, BTreeMap<[String; 3], Counts>)>,
}

/// The current state of the mesh.
#[derive(Debug, Serialize)]
struct Mesh<'a> {
    /// The workloads that have a sidecar.
    sidecars: Vec<&'a str>,
    /// The sidecars that do not answer.
    silent: Vec<&'a str>,
    nodes: Vec<&'a str>,
    edges: Vec<Moving<'a>>,
}

/// A link and its rates.
#[derive(Debug, Serialize)]
struct Moving<'a> {
    #[serde(flatten)]
    link: &'a Link,
    opened_per_second: f64,
    received_per_second: f64,
    sent_per_second: f64,
}

impl Watched {
    pub(super) fn new(sources: Vec<Source>) -> Self {
        Self {
            sources,
            latest: BTreeMap::new(),
            history: VecDeque::new(),
        }
    }

    /// Scrapes every sidecar and returns the mesh as JSON.
    pub(super) fn look(&mut self, now: Instant) -> String {
        let mut silent = Vec::new();
        for Source { name, metrics } in &self.sources {
            let metrics = http_get(metrics).and_then(|text| Exposition::parse(&text));
            match metrics {
                Ok(metrics) => drop(self.latest.insert(name.clone(), metrics)),
                Err(_silent) => silent.push(name.as_str()),
            }
        }
        let graph = Graph::read(self.latest.values().flat_map(Exposition::iter));
        self.history.push_back((now, counts(&graph)));
        // Rates are computed from the oldest entry.
        let is_old = |(then, _): &(Instant, _)| now.duration_since(*then) >= WINDOW;
        while self.history.get(1).is_some_and(is_old) {
            self.history.pop_front();
        }
        let mesh = Mesh {
            sidecars: self.sources.iter().map(|each| each.name.as_str()).collect(),
            silent,
            nodes: graph.nodes.iter().map(String::as_str).collect(),
            edges: graph.edges.iter().map(|link| self.moving(link)).collect(),
        };
        // Strings and finite numbers always have a JSON form.
        serde_json::to_string(&mesh).unwrap_or_default()
    }

    fn moving<'a>(&self, link: &'a Link) -> Moving<'a> {
        let ends = link.ends();
        let oldest = self.history.front().zip(self.history.back());
        let (before, seconds) = oldest.map_or((None, 0.0), |((then, before), (now, _))| {
            (before.get(&ends), (*now - *then).as_secs_f64())
        });
        // A new link counts from 0.
        let before = before.copied().unwrap_or_default();
        let rate = |now: u64, before: u64| match now.saturating_sub(before) {
            0 => 0.0,
            _ if seconds == 0.0 => 0.0,
            grown => grown as f64 / seconds,
        };
        Moving {
            link,
            opened_per_second: rate(link.counts.opened, before.opened),
            received_per_second: rate(link.counts.received, before.received),
            sent_per_second: rate(link.counts.sent, before.sent),
        }
    }
}

fn counts(graph: &Graph) -> BTreeMap<[String; 3], Counts> {
    let links = graph.edges.iter();
    links.map(|link| (link.ends(), link.counts)).collect()
}
