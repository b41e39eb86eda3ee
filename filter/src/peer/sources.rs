//! Who the other end is, from the sources in order of trust.
//!
//! For each label the first source that has it: the TLS certificate's SAN (principal, and the
//! namespace inside it), the exchanged metadata, the endpoint's metadata, what a native exchange
//! filter found out. What none has stays empty and is shown as `unknown`.

use peer_exchange::Metadata;

use super::parts::Parts;
use crate::labels::Workload;

/// What one connection knows of its peer.
#[derive(Debug, Default)]
pub(crate) struct Sources<'a> {
    /// The first URI SAN of the peer's certificate.
    pub(crate) san: Option<&'a str>,
    /// The metadata that the peer sent.
    pub(crate) exchanged: Option<&'a Metadata>,
    /// The endpoint's `istio.workload`, on the client's side.
    pub(crate) endpoint: Option<&'a str>,
    /// What a native exchange filter found out, where ours only counts.
    pub(crate) native: Option<Workload>,
    /// Whether only a certificate proves an identity. Istio's servers want that of their clients;
    /// its clients take a server's word where there is none.
    pub(crate) proven: bool,
}

impl Sources<'_> {
    /// Whether the peer claims another namespace than its certificate has.
    pub(crate) fn contradict(&self) -> bool {
        let claimed = self.exchanged.map_or("", |peer| peer.namespace.as_str());
        let certified = self.san.and_then(namespace_of);
        !claimed.is_empty() && certified.is_some_and(|certified| certified != claimed)
    }

    /// The peer's labels.
    pub(crate) fn workload(self) -> Workload {
        let mut peer = self.exchanged.map(from_metadata).unwrap_or_default();
        let endpoint = self.endpoint.and_then(from_endpoint);
        for other in [endpoint, self.native].into_iter().flatten() {
            fill(&mut peer, other);
        }
        if self.proven {
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

/// Reads `workload;namespace;canonical-service;canonical-revision;cluster`, as Istio's control
/// plane writes it into the endpoint metadata `istio.workload`; old ones leave the cluster out.
fn from_endpoint(text: &str) -> Option<Workload> {
    let mut parts = text.split(';');
    let mut part = || parts.next().map(str::to_owned);
    Some(Workload {
        workload: part()?,
        namespace: part()?,
        canonical_service: part()?,
        canonical_revision: part()?,
        cluster: part().unwrap_or_default(),
        ..Workload::default()
    })
}

/// Takes from `other` what `peer` does not have.
fn fill(peer: &mut Workload, other: Workload) {
    for (mine, theirs) in [
        (&mut peer.workload, other.workload),
        (&mut peer.namespace, other.namespace),
        (&mut peer.canonical_service, other.canonical_service),
        (&mut peer.canonical_revision, other.canonical_revision),
        (&mut peer.principal, other.principal),
        (&mut peer.app, other.app),
        (&mut peer.version, other.version),
        (&mut peer.cluster, other.cluster),
    ] {
        if mine.is_empty() {
            *mine = theirs;
        }
    }
}

/// The namespace in a SPIFFE id, where the id has a place for it:
///
/// | SPIFFE id | Of |
/// | --- | --- |
/// | `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT` | Istio (`ParseIdentity` in `pkg/spiffe`) |
/// | `spiffe://DOMAIN[/ap/PARTITION]/ns/NAMESPACE/dc/DATACENTER/svc/SERVICE` | Consul (`agent/connect/uri_service.go`) |
///
/// Elsewhere `/ns/` is a part of somebody's own path and tells nothing.
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
