//! The paths of the attributes that the filter reads, their parts separated by NUL. Those that
//! begin with `xds` have the root of [`Roots`](super::Roots).

/// The beginning of the paths of the proxy's configuration.
pub(super) const XDS: &str = "xds\0";

pub(crate) const NODE: &str = "xds\0node";
pub(crate) const LISTENER_DIRECTION: &str = "xds\0listener_direction";
pub(crate) const FILTER_CHAIN: &str = "xds\0filter_chain_name";
pub(crate) const CLUSTER: &str = "xds\0cluster_name";
/// The first of the cluster's services, a map; written by Istio's control plane.
pub(crate) const SERVICE: &str = "xds\0cluster_metadata\0filter_metadata\0istio\0services\x000";
/// The upstream host's workload; written by Istio's control plane.
pub(crate) const ENDPOINT: &str = "xds\0upstream_host_metadata\0filter_metadata\0istio\0workload";

pub(crate) const MTLS: &str = "connection\0mtls";
pub(crate) const TLS_VERSION: &str = "connection\0tls_version";
pub(crate) const LOCAL_SAN: &str = "connection\0uri_san_local_certificate";
pub(crate) const PEER_SAN: &str = "connection\0uri_san_peer_certificate";
pub(crate) const UPSTREAM_LOCAL_SAN: &str = "upstream\0uri_san_local_certificate";
pub(crate) const UPSTREAM_PEER_SAN: &str = "upstream\0uri_san_peer_certificate";
pub(crate) const UPSTREAM_TLS_VERSION: &str = "upstream\0tls_version";
pub(crate) const UPSTREAM_ADDRESS: &str = "upstream\0address";
pub(crate) const SOURCE_ADDRESS: &str = "source\0address";
pub(crate) const DESTINATION_PORT: &str = "destination\0port";
pub(crate) const RESPONSE_FLAGS: &str = "response\0flags";

/// The JA4 fingerprint of the client's ClientHello, which the operator's `set_filter_state` filter
/// stores.
pub(crate) const CLIENT_JA4: &str = "filter_state\0tcp_peer_stats.client_ja4";

/// The downstream peer in the filter state of a native exchange filter.
pub(crate) const NATIVE_DOWNSTREAM: &str = "filter_state\0downstream_peer";
/// The upstream peer in the filter state of a native exchange filter.
pub(crate) const NATIVE_UPSTREAM: &str = "upstream_filter_state\0upstream_peer";
