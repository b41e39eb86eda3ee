//! The table of the standard labels: a new label is a new row.

use super::workload::WorkloadField;
use LabelValue::{
    Destination, Reporter, RequestProtocol, ResponseFlags, SecurityPolicy, Service, ServiceName,
    ServiceNamespace, Source,
};
use WorkloadField::{
    App, CanonicalRevision, CanonicalService, Cluster, Namespace, Principal, Version, Workload,
};

/// An unknown value. Prometheus treats an empty label as an absent one, and Kiali drops a series
/// without all of its labels, so no value is empty.
pub(crate) const UNKNOWN: &str = "unknown";

/// An unknown canonical revision.
const LATEST: &str = "latest";

/// A label that every series has unless the configuration removes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandardLabel {
    /// Its name.
    pub(crate) name: &'static str,
    /// The origin of its value.
    pub(crate) value: LabelValue,
    /// Its value if it is unknown.
    pub(crate) default: &'static str,
}

/// The origin of a standard label's value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LabelValue {
    Reporter,
    /// A field of the client.
    Source(WorkloadField),
    /// A field of the server.
    Destination(WorkloadField),
    /// The host of the requested service.
    Service,
    ServiceName,
    ServiceNamespace,
    RequestProtocol,
    ResponseFlags,
    SecurityPolicy,
}

/// The name of the label with the response flags, as the table has it (a test compares them).
pub(crate) const RESPONSE_FLAGS: &str = "response_flags";

/// The standard labels, in the order in which a stat's name has them.
#[rustfmt::skip]
pub(crate) const STANDARD_LABELS: &[StandardLabel] = &[
    label("reporter", Reporter, UNKNOWN),
    label("source_workload", Source(Workload), UNKNOWN),
    label("source_canonical_service", Source(CanonicalService), UNKNOWN),
    label("source_canonical_revision", Source(CanonicalRevision), LATEST),
    label("source_workload_namespace", Source(Namespace), UNKNOWN),
    label("source_principal", Source(Principal), UNKNOWN),
    label("source_app", Source(App), UNKNOWN),
    label("source_version", Source(Version), UNKNOWN),
    label("source_cluster", Source(Cluster), UNKNOWN),
    label("destination_workload", Destination(Workload), UNKNOWN),
    label("destination_canonical_service", Destination(CanonicalService), UNKNOWN),
    label("destination_canonical_revision", Destination(CanonicalRevision), LATEST),
    label("destination_workload_namespace", Destination(Namespace), UNKNOWN),
    label("destination_principal", Destination(Principal), UNKNOWN),
    label("destination_app", Destination(App), UNKNOWN),
    label("destination_version", Destination(Version), UNKNOWN),
    label("destination_cluster", Destination(Cluster), UNKNOWN),
    label("destination_service", Service, UNKNOWN),
    label("destination_service_name", ServiceName, UNKNOWN),
    label("destination_service_namespace", ServiceNamespace, UNKNOWN),
    label("request_protocol", RequestProtocol, UNKNOWN),
    label("response_flags", ResponseFlags, UNKNOWN),
    label("connection_security_policy", SecurityPolicy, UNKNOWN),
];

const fn label(name: &'static str, value: LabelValue, default: &'static str) -> StandardLabel {
    StandardLabel {
        name,
        value,
        default,
    }
}
