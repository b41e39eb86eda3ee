//! The graph of a mesh, read from the metrics alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Counts;
use crate::exposition::{Exposition, Labels, Series};
use crate::labels::{METRICS, Reporter};

const NOT_KNOWN: &str = "unknown";

/// The graph of a mesh from its metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Graph {
    /// The ends of all links.
    pub nodes: BTreeSet<String>,
    /// The links.
    pub edges: Vec<Link>,
}

/// The traffic of one node to another over one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// The calling workload, `unknown` if no metric has it.
    pub source: String,
    /// The called workload, or the service if no metric has the workload.
    pub destination: String,
    /// The service's name.
    pub service: String,
    /// `mutual_tls` or `none` from the destination's metrics; `unknown` with the source's metrics
    /// alone.
    pub security: String,
    /// All response flags, separated by commas; `-` without flags.
    pub flags: String,
    /// The counts of the source, or else of the destination.
    #[serde(flatten)]
    pub counts: Counts,
    /// Connections that are open.
    pub open: u64,
    /// The counts of each reporter.
    pub reporters: BTreeMap<Reporter, Counts>,
}

impl Graph {
    /// Reads the graph from the series of all sidecars.
    #[must_use]
    pub fn read<'a>(series: impl IntoIterator<Item = &'a Series>) -> Self {
        let mut links: BTreeMap<[String; 3], Vec<Series>> = BTreeMap::new();
        for series in series {
            if METRICS.contains(&series.name.as_str()) {
                links
                    .entry(ends(&series.labels))
                    .or_default()
                    .push(series.clone());
            }
        }
        let edges: Vec<Link> = links
            .into_iter()
            .map(|(ends, series)| Link::new(ends, series))
            .collect();
        let nodes = edges
            .iter()
            .flat_map(|link| [link.source.clone(), link.destination.clone()])
            .collect();
        Self { nodes, edges }
    }

    /// The link between these ends; see [`super::Edge::ends`].
    #[must_use]
    pub fn link(&self, ends: &[String; 3]) -> Option<&Link> {
        self.edges.iter().find(|link| link.ends() == *ends)
    }
}

impl Link {
    fn new([source, destination, service]: [String; 3], series: Vec<Series>) -> Self {
        let values = |name: &str| -> BTreeSet<String> {
            series
                .iter()
                .map(|series| label(&series.labels, name))
                .collect()
        };
        let security = values("connection_security_policy");
        let flags = values("response_flags");
        let names: Vec<_> = values("reporter").into_iter().collect();
        let all = Exposition::from(series);
        let reporters: BTreeMap<Reporter, Counts> = Reporter::BOTH
            .into_iter()
            .filter(|reporter| names.iter().any(|name| name == reporter.as_str()))
            .map(|reporter| {
                let counts = Counts::reported(&all, &[("reporter", reporter.as_str())]);
                (reporter, counts)
            })
            .collect();
        // The source comes first in the map.
        let counts = reporters.values().next().copied().unwrap_or_default();
        Self {
            source,
            destination,
            service,
            security: joined(security, NOT_KNOWN),
            flags: joined(flags, "-"),
            open: counts.open(),
            counts,
            reporters,
        }
    }

    /// The ends in the form of [`super::Edge::ends`].
    #[must_use]
    pub fn ends(&self) -> [String; 3] {
        [&self.source, &self.destination, &self.service].map(Clone::clone)
    }
}

/// The ends of the link that a series with these labels counts, in the form of [`super::Edge::ends`].
#[must_use]
pub fn ends(labels: &Labels) -> [String; 3] {
    let service = label(labels, "destination_service_name");
    let destination = match label(labels, "destination_workload") {
        workload if workload == NOT_KNOWN => service.clone(),
        workload => workload,
    };
    [label(labels, "source_workload"), destination, service]
}

fn label(labels: &Labels, name: &str) -> String {
    labels.get(name).cloned().unwrap_or_default()
}

/// Joins the values other than `nothing`. Returns `nothing` without such values.
fn joined(mut values: BTreeSet<String>, nothing: &str) -> String {
    values.remove(nothing);
    if values.is_empty() {
        return nothing.to_owned();
    }
    values.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(text: &str) -> Graph {
        Graph::read(Exposition::parse(text).unwrap().iter())
    }

    #[test]
    fn both_reporters_of_a_link_are_one_link() {
        let graph = graph(concat!(
            r#"istio_tcp_connections_opened_total{reporter="source",source_workload="a",destination_workload="b",destination_service_name="s",connection_security_policy="unknown",response_flags="-"} 3"#,
            "\n",
            r#"istio_tcp_connections_closed_total{reporter="source",source_workload="a",destination_workload="b",destination_service_name="s",connection_security_policy="unknown",response_flags="UF"} 2"#,
            "\n",
            r#"istio_tcp_connections_opened_total{reporter="destination",source_workload="a",destination_workload="b",destination_service_name="s",connection_security_policy="mutual_tls",response_flags="-"} 4"#,
            "\n",
            r#"envoy_other{reporter="source"} 1"#,
        ));
        let [link] = graph.edges.as_slice() else {
            panic!("{graph:?}");
        };
        assert_eq!(link.ends(), ["a", "b", "s"]);
        assert_eq!(
            (link.security.as_str(), link.flags.as_str()),
            ("mutual_tls", "UF")
        );
        assert_eq!(
            (link.counts.opened, link.counts.closed, link.open),
            (3, 2, 1)
        );
        assert_eq!(link.reporters[&Reporter::Destination].opened, 4);
        assert_eq!(graph.nodes.len(), 2);
    }

    #[test]
    fn an_unknown_destination_has_the_name_of_its_service() {
        let graph = graph(
            r#"istio_tcp_sent_bytes_total{reporter="source",source_workload="a",destination_workload="unknown",destination_service_name="BlackHoleCluster"} 1"#,
        );
        assert_eq!(graph.edges[0].destination, "BlackHoleCluster");
    }
}
