//! The labels of a peer, from the sources in order of trust.
//!
//! Each label has the value of the first source that has one: the SAN of the TLS certificate
//! (principal, and the namespace in it), the metadata of the peer's frame, the endpoint's metadata,
//! the peer that a native exchange filter found. A value that no source has is `unknown`.

use peer_exchange::Metadata;

use super::parts::Parts;
use crate::labels::Workload;

/// The sources of a peer's labels on one connection.
#[derive(Debug, Default)]
pub(crate) struct PeerSources<'a> {
    /// The first URI SAN of the peer's certificate.
    pub(crate) san: Option<&'a str>,
    /// The metadata in the peer's frame.
    pub(crate) metadata: Option<&'a Metadata>,
    /// The server's `istio.workload`.
    pub(crate) endpoint: Option<&'a str>,
    /// The peer that a native exchange filter found, in mode `off`.
    pub(crate) native: Option<Workload>,
    /// The peer is the client. Istio takes a client's principal from its certificate only, and a
    /// server's from its metadata if it has no certificate.
    pub(crate) is_client: bool,
}

impl PeerSources<'_> {
    /// Whether the peer's metadata has another namespace than its certificate.
    pub(crate) fn namespace_mismatch(&self) -> bool {
        let claimed = self.metadata.map_or("", |peer| peer.namespace.as_str());
        let certified = self.san.and_then(namespace_of);
        !claimed.is_empty() && certified.is_some_and(|certified| certified != claimed)
    }

    /// The peer's labels.
    pub(crate) fn workload(self) -> Workload {
        let mut peer = self.metadata.map(from_metadata).unwrap_or_default();
        let endpoint = self.endpoint.and_then(from_endpoint);
        for other in [endpoint, self.native].into_iter().flatten() {
            peer.fill_from(other);
        }
        if self.is_client {
            peer.principal.clear();
        }
        if let Some(san) = self.san.filter(|san| !san.is_empty()) {
            peer.principal = san.to_owned();
        }
        if let Some(namespace) = namespace_of(&peer.principal) {
            peer.namespace = namespace.to_owned();
        }
        peer
    }
}

fn from_metadata(metadata: &Metadata) -> Workload {
    Workload {
        workload: metadata.workload_name.clone(),
        canonical_service: metadata.canonical_name().to_owned(),
        canonical_revision: metadata.canonical_revision().to_owned(),
        namespace: metadata.namespace.clone(),
        principal: metadata.identity.clone(),
        app: metadata.app().to_owned(),
        version: metadata.version().to_owned(),
        cluster: metadata.cluster_id.clone(),
    }
}

/// Whether the metadata has every field that [`from_endpoint`] reads.
pub(super) fn is_complete(metadata: &Metadata) -> bool {
    [
        metadata.workload_name.as_str(),
        metadata.namespace.as_str(),
        metadata.canonical_name(),
        metadata.canonical_revision(),
        metadata.cluster_id.as_str(),
    ]
    .into_iter()
    .all(|field| !field.is_empty())
}

/// Reads `workload;namespace;canonical-service;canonical-revision;cluster`, as Istio's control
/// plane writes it into the endpoint metadata `istio.workload`; old ones leave the cluster out.
fn from_endpoint(text: &str) -> Option<Workload> {
    let mut parts = text.split(';');
    Some(Workload {
        workload: parts.next()?.to_owned(),
        namespace: parts.next()?.to_owned(),
        canonical_service: parts.next()?.to_owned(),
        canonical_revision: parts.next()?.to_owned(),
        cluster: parts.next().unwrap_or_default().to_owned(),
        ..Workload::default()
    })
}

/// The namespace in a SPIFFE id, where the id has a place for it:
///
/// | SPIFFE id | Of |
/// | --- | --- |
/// | `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT` | Istio (`ParseIdentity` in `pkg/spiffe`) |
/// | `spiffe://DOMAIN[/ap/PARTITION]/ns/NAMESPACE/dc/DATACENTER/svc/SERVICE` | Consul (`agent/connect/uri_service.go`) |
///
/// In any other path `/ns/` has no meaning.
pub(crate) fn namespace_of(san: &str) -> Option<&str> {
    let parts = Parts::of(san.strip_prefix("spiffe://")?, '/')?;
    match parts.as_slice() {
        [_, "ns", namespace, "sa", _]
        | [_, "ns", namespace, "dc", _, "svc", _]
        | [_, "ap", _, "ns", namespace, "dc", _, "svc", _] => Some(namespace),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
