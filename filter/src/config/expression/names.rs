//! The names in expressions: of Envoy's attributes, of CEL and of Istio's peers.

use std::fmt;

/// The attributes below the root `xds`; older hosts have their bare names.
pub(super) const XDS: [&str; 12] = [
    "cluster_metadata",
    "cluster_name",
    "filter_chain_name",
    "listener_direction",
    "listener_metadata",
    "node",
    "route_metadata",
    "route_name",
    "upstream_host_locality_metadata",
    "upstream_host_metadata",
    "virtual_host_metadata",
    "virtual_host_name",
];

/// The peers that this filter writes to the filter state.
pub(super) const PEERS: [&str; 2] = ["downstream_peer", "upstream_peer"];

/// The prefix of the properties of Wasm filters in the filter state.
pub(super) const WASM: &str = "wasm.";

/// Attributes that were always bare, and the words of CEL itself.
pub(super) const BARE: [&str; 30] = [
    "xds",
    "filter_state",
    "upstream_filter_state",
    "connection",
    "connection_id",
    "upstream",
    "source",
    "destination",
    "request",
    "response",
    "metadata",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "true",
    "false",
    "null",
    "in",
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "google",
    "dyn",
];

/// The fields of a peer: those of modern Istio's (`WorkloadMetadataObject`) and those of
/// the peers of Istio 1.7 to 1.23 (`FlatNode`).
pub(super) const PEER_FIELDS: [&str; 21] = [
    "app",
    "app_containers",
    "availability_zone",
    "cluster",
    "cluster_id",
    "identity",
    "instance_ips",
    "istio_version",
    "labels",
    "mesh_id",
    "name",
    "namespace",
    "owner",
    "platform_metadata",
    "region",
    "revision",
    "service",
    "type",
    "version",
    "workload",
    "workload_name",
];

/// The fields of a peer that are maps of texts; all others are texts.
pub(crate) const PEER_MAPS: [&str; 2] = ["labels", "platform_metadata"];

/// The attributes below HTTP's roots that a TCP connection has too (measured in Envoy 1.40). It
/// also has `headers` and `trailers`, which are empty.
const OF_CONNECTIONS: [(&str, &[&str]); 2] = [
    ("request", &["headers_bytes", "size", "time", "total_size"]),
    (
        "response",
        &["flags", "headers_bytes", "size", "total_size"],
    ),
];

/// Properties with the peers' ids, which Istio's peer exchange wrote until 1.23.
const PEER_IDS: [&str; 2] = ["downstream_peer_id", "upstream_peer_id"];

/// An attribute that TCP connections do not have. As in CEL, an expression that uses it has no
/// value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AbsentAttribute {
    /// Of HTTP requests, like `request.host`.
    Http(String),
    /// A property that another filter may set, like the `istio_operationId` of Istio's
    /// attributegen.
    Property(String),
}

impl AbsentAttribute {
    /// The attribute `name` of `root`, if only HTTP requests have it.
    pub(super) fn http(root: &str, name: &str) -> Option<Self> {
        let (_, of_connections) = OF_CONNECTIONS.iter().find(|(known, _)| *known == root)?;
        (!of_connections.contains(&name)).then(|| Self::Http(format!("{root}.{name}")))
    }

    /// The property `name`, if Istio's filters set it for HTTP requests or never here: attributegen
    /// has names that begin with `istio_`, in Istio 1.6 with `istio.`.
    pub(super) fn property(name: &str) -> Option<Self> {
        let known = name == "istio" || name.starts_with("istio_") || PEER_IDS.contains(&name);
        known.then(|| Self::Property(name.to_owned()))
    }
}

impl fmt::Display for AbsentAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(name) => {
                write!(f, "TCP connections do not have {name}, HTTP requests do")?;
            }
            Self::Property(name) => {
                write!(
                    f,
                    "TCP connections do not have {name} unless another filter sets it (a text has \
                     quotes of its own: '{name}')"
                )?;
            }
        }
        f.write_str("; an expression that uses it has no value")
    }
}
