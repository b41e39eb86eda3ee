//! The names and labels that a series must have.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::exposition::Labels;
use crate::workload::Workload;

/// The four metrics.
pub const METRICS: [&str; 4] = [OPENED, CLOSED, RECEIVED, SENT];
/// Connections opened.
pub const OPENED: &str = "istio_tcp_connections_opened_total";
/// Connections closed.
pub const CLOSED: &str = "istio_tcp_connections_closed_total";
/// Bytes from the client to the server, on both reporters.
pub const RECEIVED: &str = "istio_tcp_received_bytes_total";
/// Bytes from the server to the client, on both reporters.
pub const SENT: &str = "istio_tcp_sent_bytes_total";

/// The labels of each of the four metrics, in the order of Istio's documentation.
pub const STANDARD: [&str; 23] = [
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_canonical_service",
    "source_canonical_revision",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_flags",
    "connection_security_policy",
];

/// The sidecar that reports, as in the label `reporter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reporter {
    /// The client's sidecar.
    Source,
    /// The server's sidecar.
    Destination,
}

impl Reporter {
    /// Both reporters.
    pub const BOTH: [Self; 2] = [Self::Source, Self::Destination];

    /// The label's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

impl Display for Reporter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// All 23 labels of a connection between two sidecars that exchanged their metadata over mTLS. The
/// name of the service is the server's app.
#[must_use]
pub fn exchanged(reporter: Reporter, client: &Workload, server: &Workload) -> Labels {
    let mut labels = Labels::new();
    for (side, workload) in [("source", client), ("destination", server)] {
        labels.extend(workload_labels(side, workload));
    }
    let security = match reporter {
        // Istio's value at the source is always `unknown`.
        Reporter::Source => "unknown",
        Reporter::Destination => "mutual_tls",
    };
    labels.extend(owned([
        ("reporter", reporter.as_str()),
        ("destination_service", &host(&server.app, &server.namespace)),
        ("destination_service_name", &server.app),
        ("destination_service_namespace", &server.namespace),
        ("request_protocol", "tcp"),
        ("response_flags", "-"),
        ("connection_security_policy", security),
    ]));
    labels
}

/// Returns a service's host name in the mesh.
#[must_use]
pub fn host(service: &str, namespace: &str) -> String {
    format!(
        "{service}.{namespace}.svc.{}",
        crate::workload::TRUST_DOMAIN
    )
}

fn workload_labels(side: &str, workload: &Workload) -> Labels {
    let principal = workload.principal();
    let values = [
        ("workload", workload.name.as_str()),
        ("workload_namespace", &workload.namespace),
        ("principal", &principal),
        ("app", &workload.app),
        ("version", &workload.version),
        ("canonical_service", &workload.app),
        ("canonical_revision", &workload.version),
        ("cluster", &workload.cluster_id),
    ];
    owned(values)
        .into_iter()
        .map(|(name, value)| (format!("{side}_{name}"), value))
        .collect()
}

/// Converts borrowed names and values to a label set.
#[must_use]
pub fn owned<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Labels {
    labels
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_full_set_has_23_labels_and_none_is_empty() {
        let client = Workload::ratings_v2();
        let server = Workload::bookinfo("mongodb", "v1");
        let labels = exchanged(Reporter::Destination, &client, &server);
        assert!(labels.keys().eq(&BTreeSet::from(STANDARD)));
        assert!(labels.values().all(|value| !value.is_empty()));
        assert_eq!(labels["source_workload"], "ratings-v2");
        assert_eq!(
            labels["destination_service"],
            "mongodb.default.svc.cluster.local"
        );
    }
}
