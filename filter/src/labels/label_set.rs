//! The standard labels' values of one connection.

use std::borrow::Cow;

use super::response_flags::ResponseFlags;
use super::standard::{LabelValue, STANDARD_LABELS, UNKNOWN};
use super::workload::Workload;

/// The end of the connection that reports it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Reporter {
    /// The client's sidecar.
    Source,
    /// The server's sidecar.
    Destination,
    /// A gateway in front of servers. Its peer exchange is that of a server's sidecar.
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

/// The service that the client requested, as far as the cluster names it; an empty text is an
/// unknown value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Service {
    /// `destination_service`: the host, like `mongodb.default.svc.cluster.local`.
    pub(crate) host: String,
    /// `destination_service_name`
    pub(crate) name: String,
    /// `destination_service_namespace`
    pub(crate) namespace: String,
    /// `destination_cluster`, if the server's own is unknown.
    pub(crate) cluster: String,
    /// The name of the upstream cluster, if it has no host in it.
    pub(crate) upstream: String,
}

/// `connection_security_policy`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SecurityPolicy {
    /// The client's sidecar never reports a policy (Istio's rule), and no sidecar can before the
    /// TLS handshake is over.
    Unknown,
    /// Both ends have a certificate.
    MutualTls,
    /// At least one end has no certificate.
    None,
}

impl SecurityPolicy {
    fn name(self) -> &'static str {
        match self {
            Self::Unknown => UNKNOWN,
            Self::MutualTls => "mutual_tls",
            Self::None => "none",
        }
    }
}

/// The standard labels' values of one connection.
#[derive(Clone, Debug)]
pub(crate) struct LabelSet {
    pub(crate) reporter: Reporter,
    /// The client.
    pub(crate) source: Workload,
    /// The server.
    pub(crate) destination: Workload,
    pub(crate) service: Service,
    pub(crate) response_flags: ResponseFlags,
    pub(crate) security_policy: SecurityPolicy,
}

impl LabelSet {
    /// The values in the order of [`STANDARD_LABELS`]; none is empty.
    pub(crate) fn values(&self) -> [Cow<'_, str>; STANDARD_LABELS.len()] {
        let [host, name, namespace] = self.requested_service();
        let mut values = [const { Cow::Borrowed(UNKNOWN) }; STANDARD_LABELS.len()];
        for (value, label) in values.iter_mut().zip(STANDARD_LABELS) {
            let known = match label.value {
                LabelValue::ResponseFlags => {
                    *value = Cow::Owned(self.response_flags.to_string());
                    continue;
                }
                LabelValue::Reporter => self.reporter.name(),
                LabelValue::Source(field) => self.source.get(field),
                LabelValue::Destination(field) => self.destination.get(field),
                LabelValue::Service => host,
                LabelValue::ServiceName => name,
                LabelValue::ServiceNamespace => namespace,
                LabelValue::RequestProtocol => "tcp",
                LabelValue::SecurityPolicy => self.security_policy.name(),
            };
            *value = Cow::Borrowed(first_known(known, label.default));
        }
        values
    }

    /// Host, name and namespace of the service.
    ///
    /// Where the cluster does not name them they follow from the server: the service is at least
    /// the server's canonical service, and it is in its workload's namespace. If that is unknown
    /// too, the cluster's name distinguishes services.
    fn requested_service(&self) -> [&str; 3] {
        let Service {
            host,
            name,
            namespace,
            upstream,
            ..
        } = &self.service;
        let server = &self.destination;
        let (canonical, namespace) = match self.reporter {
            Reporter::Source => ("", first_known(namespace, &server.namespace)),
            Reporter::Destination => (
                server.canonical_service.as_str(),
                first_known(&server.namespace, namespace),
            ),
            Reporter::Waypoint => ("", namespace.as_str()),
        };
        let fallback = first_known(canonical, upstream);
        [
            first_known(host, fallback),
            first_known(name, fallback),
            namespace,
        ]
    }

    /// The other end of the exchange.
    pub(crate) fn peer(&self) -> &Workload {
        match self.reporter {
            Reporter::Source => &self.destination,
            Reporter::Destination | Reporter::Waypoint => &self.source,
        }
    }

    /// The same labels without the values that peers choose, so that no peer can multiply series.
    pub(crate) fn without_peers(mut self) -> Self {
        if self.reporter != Reporter::Source {
            self.source = Workload::default();
        }
        if self.reporter != Reporter::Destination {
            self.destination = Workload::default();
        }
        self
    }
}

/// The first of two values that is not empty.
pub(crate) fn first_known<'a>(value: &'a str, other: &'a str) -> &'a str {
    if value.is_empty() { other } else { value }
}

#[cfg(test)]
mod tests;
