//! The labels of a connection, from its attributes and the peer's metadata.

use peer_exchange::Metadata;

use super::connection_attributes::ConnectionAttributes;
use super::native;
use super::service;
use super::sources::{PeerSources, namespace_of};
use crate::labels::{LabelSet, Reporter, SecurityPolicy, UNKNOWN, Workload};

/// Returns the labels, and whether the peer claims another namespace than its certificate has.
///
/// `metadata` is the peer's, `local` is this workload without its principal.
pub(super) fn resolve(
    attributes: &ConnectionAttributes,
    metadata: Option<&Metadata>,
    local: &Workload,
) -> (LabelSet, bool) {
    let (reporter, pair) = (attributes.reporter(), &attributes.pair);
    let peer = PeerSources {
        san: pair.pair.peer_san(),
        metadata,
        endpoint: match reporter {
            Reporter::Source => attributes.endpoint(),
            Reporter::Destination | Reporter::Waypoint => None,
        },
        native: attributes.native().and_then(native::read),
        is_client: reporter != Reporter::Source,
    };
    let namespace_mismatch = peer.namespace_mismatch();
    let peer = peer.workload();
    let (source, mut destination) = match reporter {
        Reporter::Source => (own(local, attributes), peer),
        Reporter::Destination => (peer, own(local, attributes)),
        Reporter::Waypoint => (peer, server_of_waypoint(attributes)),
    };
    let cluster = pair.pair.cluster().unwrap_or_default();
    let service = service::requested(pair.facts.service.as_deref(), cluster);
    if reporter != Reporter::Destination && destination.cluster.is_empty() {
        destination.cluster.clone_from(&service.cluster);
    }
    let labels = LabelSet {
        reporter,
        source,
        destination,
        service,
        response_flags: attributes.read.response_flags,
        security_policy: security_policy(attributes),
    };
    (labels, namespace_mismatch)
}

fn security_policy(attributes: &ConnectionAttributes) -> SecurityPolicy {
    let pair = &attributes.pair;
    match (&pair.facts.local_san, pair.pair.peer_san()) {
        _ if attributes.reporter() == Reporter::Source => SecurityPolicy::Unknown,
        (Some(_), Some(_)) => SecurityPolicy::MutualTls,
        _ if attributes.is_handshaking => SecurityPolicy::Unknown,
        _ => SecurityPolicy::None,
    }
}

fn server_of_waypoint(attributes: &ConnectionAttributes) -> Workload {
    let sources = PeerSources {
        san: attributes.server_san(),
        endpoint: attributes.endpoint(),
        ..PeerSources::default()
    };
    let mut server = sources.workload();
    // The default `latest` is not what Istio's waypoints report.
    if server.canonical_revision.is_empty() {
        UNKNOWN.clone_into(&mut server.canonical_revision);
    }
    server
}

/// This workload with its principal.
fn own(local: &Workload, attributes: &ConnectionAttributes) -> Workload {
    let mut own = local.clone();
    let principal = &attributes.pair.facts.local_san;
    own.principal = principal.clone().unwrap_or_default();
    // The metadata of a virtual machine may lack the namespace; its peers read it from the
    // certificate. Kiali drops a series with a workload and no namespace.
    if own.namespace.is_empty() && !own.workload.is_empty() {
        own.namespace = namespace_of(&own.principal).unwrap_or_default().to_owned();
    }
    own
}
