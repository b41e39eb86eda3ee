//! Kiali's TCP graph: its query, and the edges that it draws from the result.
//!
//! The rules of `graph/telemetry/istio` in Kiali 2, for a mesh without ambient mode. A series that
//! Kiali drops is dropped here too.

mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, SocketAddrV4};

use mesh::exposition::{Labels, Series};
use mesh::labels::{RECEIVED, SENT};

/// The labels that series are grouped by; `app` distinguishes ztunnel's series.
const GROUP_BY: &str = "app,source_cluster,source_workload_namespace,source_workload,source_canonical_service,source_canonical_revision,destination_cluster,destination_service_namespace,destination_service,destination_service_name,destination_workload_namespace,destination_workload,destination_canonical_service,destination_canonical_revision,response_flags";

/// A series without one of these is skipped. To PromQL an empty label is an absent one.
const REQUIRED: [&str; 12] = [
    "source_workload_namespace",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "destination_service_namespace",
    "destination_service",
    "destination_service_name",
    "destination_workload_namespace",
    "destination_workload",
    "destination_canonical_service",
    "destination_canonical_revision",
    "response_flags",
];

/// The traffic rate that the user of Kiali selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// Bytes that the client sends.
    Sent,
    /// Bytes that the client receives.
    Received,
}

/// A node of the graph: a workload, or a service of which no workload is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) cluster: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// One source-to-destination edge by way of one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) source: Node,
    pub(crate) service: String,
    pub(crate) destination: Node,
}

/// Why a series does not become an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Kiali logs "Skipping, missing expected TS labels".
    MissingLabel(&'static str),
    /// The source's namespace is known, and neither workload nor app is.
    NamelessSource,
    /// The source's namespace is known, and its cluster is `unknown`.
    SourceInNoCluster,
    /// The service is an address, and no workload is known.
    AddressAsService,
    /// The service's namespace is known, and the destination's cluster is `unknown`.
    DestinationInNoCluster,
}

/// Bytes per second of every edge.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) edges: BTreeMap<Edge, f64>,
    /// Series that differ from an earlier one on the same edge, so that Kiali adds them: wrong if
    /// they are the other reporter's counts of the same bytes.
    pub(crate) contradictions: Vec<String>,
    pub(crate) dropped: Vec<(Dropped, Labels)>,
}

impl Rate {
    /// "L4 telemetry is backwards" (Kiali): received bytes are those that the server received and
    /// the client sent.
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Self::Sent => RECEIVED,
            Self::Received => SENT,
        }
    }
}

/// Kiali's three queries for a namespace: traffic that no workload served, incoming traffic by its
/// destination, outgoing traffic by its source.
pub(crate) fn queries(rate: Rate, namespace: &str, seconds: u32) -> [String; 3] {
    let metric = rate.metric();
    [
        format!(
            r#"reporter="source",source_workload_namespace!="{namespace}",destination_workload_namespace="unknown",destination_workload="unknown",destination_service=~"^.+\\.{namespace}\\..+$""#
        ),
        format!(r#"reporter="destination",destination_workload_namespace="{namespace}""#),
        format!(r#"reporter="source",source_workload_namespace="{namespace}""#),
    ]
    .map(|selector| {
        let series = format!(r#"{metric}{{app!="ztunnel",{selector}}} [{seconds}s]"#);
        format!("round(sum(rate({series})) by ({GROUP_BY}) > 0,0.001)")
    })
}

/// The graph of the answers to all queries.
pub(crate) fn graph(answers: &[Series]) -> Graph {
    let mut graph = Graph::default();
    // Both reporters have series of an edge. Kiali recognises the second by the same values in all
    // these labels.
    let mut seen: BTreeMap<Edge, Vec<Vec<String>>> = BTreeMap::new();
    for series in answers {
        let (edge, identity) = match edge(&series.labels) {
            Ok(found) => found,
            Err(dropped) => {
                graph.dropped.push((dropped, series.labels.clone()));
                continue;
            }
        };
        let identities = seen.entry(edge.clone()).or_default();
        if identities.contains(&identity) {
            continue;
        }
        if let Some(other) = identities.first() {
            let both = format!("{edge}: {identity:?} beside {other:?}");
            graph.contradictions.push(both);
        }
        identities.push(identity);
        *graph.edges.entry(edge).or_default() += series.value;
    }
    graph
}

/// The edge of a series, and the values by which Kiali recognises a duplicate.
fn edge(labels: &Labels) -> Result<(Edge, Vec<String>), Dropped> {
    if let Some(missing) = REQUIRED
        .into_iter()
        .find(|name| get(labels, name).is_none())
    {
        return Err(Dropped::MissingLabel(missing));
    }
    let text = |name: &str| get(labels, name).unwrap_or("unknown");
    let [source_namespace, source_workload] =
        ["source_workload_namespace", "source_workload"].map(text);
    if is_ok(source_namespace) {
        if !is_ok(source_workload) && !is_ok(text("source_canonical_service")) {
            return Err(Dropped::NamelessSource);
        }
        if get(labels, "source_cluster").is_some_and(|cluster| !is_ok(cluster)) {
            return Err(Dropped::SourceInNoCluster);
        }
    }

    let source_cluster = text("source_cluster");
    let service_namespace = text("destination_service_namespace");
    let mut destination_cluster = text("destination_cluster");
    // Kiali's workaround for Istio's issue 29373.
    if !is_ok(destination_cluster) && is_ok(source_cluster) && is_ok(service_namespace) {
        destination_cluster = source_cluster;
    }
    let [service, name, workload] = [
        "destination_service",
        "destination_service_name",
        "destination_workload",
    ]
    .map(text);
    if !is_ok(workload) && is_ok(service) && service == name && is_address(name) {
        return Err(Dropped::AddressAsService);
    }
    let tells_cluster = get(labels, "destination_cluster").is_some();
    if is_ok(service_namespace) && tells_cluster && !is_ok(destination_cluster) {
        return Err(Dropped::DestinationInNoCluster);
    }

    let destination = match is_ok(workload) {
        true => [text("destination_workload_namespace"), workload],
        false => [service_namespace, name],
    };
    let edge = Edge {
        source: Node::new(source_cluster, [source_namespace, source_workload]),
        service: service.to_owned(),
        destination: Node::new(destination_cluster, destination),
    };
    let mut identity: Vec<_> = REQUIRED.map(text).into();
    identity.extend([source_cluster, destination_cluster]);
    Ok((edge, identity.into_iter().map(str::to_owned).collect()))
}

impl Graph {
    /// The differences between the graph and these edges.
    pub(crate) fn faults(&self, wanted: &BTreeSet<String>) -> Vec<String> {
        let there: BTreeSet<_> = self.edges.keys().map(ToString::to_string).collect();
        let missing = wanted.difference(&there).map(|edge| format!("no {edge}"));
        let extra = there.difference(wanted).map(|edge| format!("extra {edge}"));
        let dropped = self.dropped.iter();
        let dropped = dropped.map(|(why, labels)| format!("dropped, {why:?}: {labels:?}"));
        let contradictions = self.contradictions.iter().cloned();
        missing
            .chain(extra)
            .chain(dropped)
            .chain(contradictions)
            .collect()
    }
}

impl Node {
    fn new(cluster: &str, [namespace, name]: [&str; 2]) -> Self {
        Self {
            cluster: cluster.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            cluster,
            namespace,
            name,
        } = self;
        write!(f, "{name}.{namespace}@{cluster}")
    }
}

impl Display for Edge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            service,
            destination,
        } = self;
        write!(f, "{source} -> {service} -> {destination}")
    }
}

fn get<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels
        .get(name)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

fn is_ok(value: &str) -> bool {
    !value.is_empty() && value != "unknown"
}

/// An IPv4 address, with or without a port.
fn is_address(name: &str) -> bool {
    let bare = name.parse::<Ipv4Addr>().is_ok();
    bare || name.parse::<SocketAddrV4>().is_ok()
}
