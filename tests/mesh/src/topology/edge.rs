//! An edge of a topology, and the labels of its series.

use super::service::{Service, Target};
use crate::Counts;
use crate::exposition::Labels;
use crate::labels::{self, Reporter};
use crate::tap::Tap;
use crate::workload::Workload;

/// The calls of one service to another, or of the user to the entrance.
#[derive(Debug)]
pub struct Edge {
    pub(super) source: Option<Service>,
    pub(super) target: Target,
    /// The called service, if it is in the mesh.
    pub(super) service: Option<Service>,
    /// The tap at the caller's end.
    pub(super) tap: Tap,
}

impl Edge {
    /// The calling workload, `None` for the user.
    #[must_use]
    pub fn source(&self) -> Option<Workload> {
        self.source.map(|service| service.workload())
    }

    /// The called target.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// The called workload, if it is in the mesh.
    #[must_use]
    pub fn destination(&self) -> Option<Workload> {
        self.service.map(|service| service.workload())
    }

    /// Source, destination and service as in [`super::Link`]: an unknown source is `unknown`, an
    /// unknown destination has the service's name.
    #[must_use]
    pub fn ends(&self) -> [String; 3] {
        let service = self.target.name().to_owned();
        let source = self.source().map(|from| from.name);
        let destination = self.destination().map(|to| to.name);
        [
            source.unwrap_or_else(|| "unknown".to_owned()),
            destination.unwrap_or_else(|| service.clone()),
            service,
        ]
    }

    /// The ends with a sidecar, each with its workload.
    pub fn reporters(&self) -> impl Iterator<Item = (Reporter, Workload)> {
        let source = self.source().map(|from| (Reporter::Source, from));
        let destination = self.destination().map(|to| (Reporter::Destination, to));
        source.into_iter().chain(destination)
    }

    /// The counts of the tap at the caller's end.
    #[must_use]
    pub fn seen(&self) -> Counts {
        Counts::seen(&self.tap.tally())
    }

    /// All 23 labels that a reporter's series must have.
    #[must_use]
    pub fn labels(&self, reporter: Reporter) -> Labels {
        let nobody = Workload::bookinfo("unknown", "unknown");
        let source = self.source().unwrap_or_else(|| nobody.clone());
        let destination = self.destination().unwrap_or(nobody);
        let mut labels = labels::exchanged(reporter, &source, &destination);
        if self.source.is_none() {
            labels.extend(unknown("source"));
            labels.extend(labels::owned([
                ("connection_security_policy", "none"),
                ("destination_principal", "unknown"),
            ]));
        }
        if self.service.is_none() {
            labels.extend(unknown("destination"));
            labels.extend(labels::owned(self.service_outside()));
        }
        labels
    }

    fn service_outside(&self) -> [(&'static str, &'static str); 5] {
        let name = self.target.name();
        let (host, namespace, flags) = match self.target {
            Target::Mesh(_) | Target::Passthrough => ("unknown", "unknown", "-"),
            Target::ServiceEntry(host) => (host, "default", "-"),
            Target::BlackHole => ("unknown", "unknown", "UH"),
        };
        [
            // Comes from the certificate of the upstream connection, which has no TLS.
            ("source_principal", "unknown"),
            ("destination_service", host),
            ("destination_service_name", name),
            ("destination_service_namespace", namespace),
            ("response_flags", flags),
        ]
    }
}

/// The labels of an unknown side.
fn unknown(side: &str) -> Vec<(String, String)> {
    let names = [
        "workload",
        "workload_namespace",
        "principal",
        "app",
        "version",
        "canonical_service",
        "cluster",
    ];
    let labels = names.map(|name| (format!("{side}_{name}"), "unknown".to_owned()));
    let revision = (format!("{side}_canonical_revision"), "latest".to_owned());
    labels.into_iter().chain([revision]).collect()
}
