//! Istio's 23 labels and what their values are made of.

use std::borrow::Cow;

use super::response_flags::ResponseFlags;

/// What stands for a value that nobody knows. Prometheus reads an empty label as an absent one,
/// and Kiali drops a series that lacks one, so no value is ever empty.
pub(crate) const UNKNOWN: &str = "unknown";

/// What stands for a canonical revision that nobody knows.
const LATEST: &str = "latest";

/// A label that every series has unless the configuration says otherwise.
#[derive(Debug)]
pub(crate) struct StandardLabel {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its value when nobody knows better.
    pub(crate) default: &'static str,
}

const fn label(name: &'static str) -> StandardLabel {
    StandardLabel {
        name,
        default: UNKNOWN,
    }
}

const fn revision(name: &'static str) -> StandardLabel {
    StandardLabel {
        name,
        default: LATEST,
    }
}

/// The standard labels, in the order of [`Labels::values`].
pub(crate) const STANDARD_LABELS: [StandardLabel; 23] = [
    label("reporter"),
    label("source_workload"),
    label("source_canonical_service"),
    revision("source_canonical_revision"),
    label("source_workload_namespace"),
    label("source_principal"),
    label("source_app"),
    label("source_version"),
    label("source_cluster"),
    label("destination_workload"),
    label("destination_canonical_service"),
    revision("destination_canonical_revision"),
    label("destination_workload_namespace"),
    label("destination_principal"),
    label("destination_app"),
    label("destination_version"),
    label("destination_cluster"),
    label("destination_service"),
    label("destination_service_name"),
    label("destination_service_namespace"),
    label("request_protocol"),
    label("response_flags"),
    label("connection_security_policy"),
];

/// The index of `response_flags` in [`STANDARD_LABELS`].
pub(crate) const RESPONSE_FLAGS: usize = 21;

/// Which end of the connection reports.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Reporter {
    /// The client's sidecar.
    Source,
    /// The server's sidecar.
    Destination,
    /// A gateway in front of servers, which the peer exchange takes for their sidecar.
    Waypoint,
}

impl Reporter {
    /// Every reporter, in the order of the enumeration.
    pub(crate) const ALL: [Self; 3] = [Self::Source, Self::Destination, Self::Waypoint];

    /// The label's value.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Waypoint => "waypoint",
        }
    }
}

/// One end of a connection, as far as it is known; an empty text is an unknown value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Workload {
    /// `*_workload`
    pub(crate) workload: String,
    /// `*_canonical_service`
    pub(crate) canonical_service: String,
    /// `*_canonical_revision`
    pub(crate) canonical_revision: String,
    /// `*_workload_namespace`
    pub(crate) namespace: String,
    /// `*_principal`
    pub(crate) principal: String,
    /// `*_app`
    pub(crate) app: String,
    /// `*_version`
    pub(crate) version: String,
    /// `*_cluster`
    pub(crate) cluster: String,
}

/// The service that the client asked for, as far as the cluster tells; an empty text is an unknown
/// value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Service {
    /// `destination_service`: the host, like `mongodb.default.svc.cluster.local`.
    pub(crate) host: String,
    /// `destination_service_name`
    pub(crate) name: String,
    /// `destination_service_namespace`
    pub(crate) namespace: String,
    /// `destination_cluster`, where the server does not tell.
    pub(crate) cluster: String,
    /// The name of the upstream cluster, if no host can be read in it.
    pub(crate) upstream: String,
}

/// `connection_security_policy`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SecurityPolicy {
    /// The source's sidecar never says (Istio's rule), and no sidecar can before the TLS handshake
    /// is over.
    Unknown,
    /// Both ends proved who they are.
    MutualTls,
    /// They did not.
    None,
}

/// All that the labels of one connection are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    /// Who reports.
    pub(crate) reporter: Reporter,
    /// The client.
    pub(crate) source: &'a Workload,
    /// The server.
    pub(crate) destination: &'a Workload,
    /// What was asked for.
    pub(crate) service: &'a Service,
    /// What went wrong, if anything.
    pub(crate) response_flags: ResponseFlags,
    /// How the connection is secured.
    pub(crate) security_policy: SecurityPolicy,
}

impl<'a> Labels<'a> {
    /// The values in the order of [`STANDARD_LABELS`]; none is empty.
    pub(crate) fn values(&self) -> [Cow<'a, str>; STANDARD_LABELS.len()] {
        let policy = match self.security_policy {
            SecurityPolicy::Unknown => UNKNOWN,
            SecurityPolicy::MutualTls => "mutual_tls",
            SecurityPolicy::None => "none",
        };
        let known = std::iter::once(self.reporter.name())
            .chain(workload(self.source))
            .chain(workload(self.destination))
            .chain(self.service())
            .chain(["tcp", "", policy])
            .map(Cow::Borrowed);
        let mut values = STANDARD_LABELS.map(|label| Cow::Borrowed(label.default));
        for (value, known) in values.iter_mut().zip(known) {
            if !known.is_empty() {
                *value = known;
            }
        }
        let [.., flags, _] = &mut values;
        *flags = Cow::Owned(self.response_flags.to_string());
        values
    }

    /// `destination_service*`. What the cluster does not tell follows from the server: it is at least
    /// its own canonical service, and a service is in its workload's namespace. Where that is not
    /// known either, the name of the cluster at least tells services apart.
    fn service(&self) -> [&'a str; 3] {
        let Service {
            host,
            name,
            namespace,
            upstream,
            ..
        } = self.service;
        let server = self.destination;
        let (own, namespace) = match self.reporter {
            Reporter::Source => ("", either(namespace, &server.namespace)),
            Reporter::Destination => (
                server.canonical_service.as_str(),
                either(&server.namespace, namespace),
            ),
            Reporter::Waypoint => ("", namespace.as_str()),
        };
        let fallback = either(own, upstream);
        [either(host, fallback), either(name, fallback), namespace]
    }
}

/// The first of two values that is not empty.
pub(crate) fn either<'a>(value: &'a str, other: &'a str) -> &'a str {
    if value.is_empty() { other } else { value }
}

fn workload(of: &Workload) -> [&str; 8] {
    [
        &of.workload,
        &of.canonical_service,
        &of.canonical_revision,
        &of.namespace,
        &of.principal,
        &of.app,
        &of.version,
        &of.cluster,
    ]
}

#[cfg(test)]
mod tests;
