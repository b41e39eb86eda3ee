//! Who the other end is, from the sources in order of trust.
//!
//! For each label the first source that has it: the TLS certificate's SAN (principal, and the
//! namespace inside it), the exchanged metadata, the endpoint's metadata, what a native exchange
//! filter found out. What none has stays empty and is shown as `unknown`.

pub(crate) mod native;

use peer_exchange::Metadata;

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

/// The namespace in a SPIFFE id of Istio's form, `spiffe://domain/ns/NAMESPACE/sa/ACCOUNT`.
pub(crate) fn namespace_of(san: &str) -> Option<&str> {
    let (_, rest) = san.split_once("/ns/")?;
    rest.split('/')
        .next()
        .filter(|namespace| !namespace.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_what_follows_ns() {
        for (san, namespace) in [
            (
                "spiffe://cluster.local/ns/default/sa/client",
                Some("default"),
            ),
            ("spiffe://cluster.local/ns/default", Some("default")),
            ("spiffe://cluster.local/ns//sa/client", None),
            ("spiffe://cluster.local/client", None),
            ("", None),
        ] {
            assert_eq!(namespace_of(san), namespace, "{san}");
        }
    }

    #[test]
    fn endpoint_metadata_needs_four_parts() {
        for text in ["", "a;b", "a;b;c"] {
            assert_eq!(from_endpoint(text), None, "{text}");
        }
        let four = from_endpoint("w;n;s;r").expect("four parts");
        assert_eq!((four.workload.as_str(), four.cluster.as_str()), ("w", ""));
        let five = from_endpoint("foo-pod;default;foo-service;v1;my-cluster").expect("five parts");
        let expected = Workload {
            workload: "foo-pod".to_owned(),
            namespace: "default".to_owned(),
            canonical_service: "foo-service".to_owned(),
            canonical_revision: "v1".to_owned(),
            cluster: "my-cluster".to_owned(),
            ..Workload::default()
        };
        assert_eq!(five, expected);
    }

    #[test]
    fn each_label_comes_from_the_first_source_that_has_it() {
        let exchanged = Metadata {
            workload_name: "exchanged".to_owned(),
            namespace: "exchanged".to_owned(),
            ..Metadata::default()
        };
        let sources = Sources {
            san: Some("spiffe://td/ns/san/sa/x"),
            exchanged: Some(&exchanged),
            endpoint: Some("endpoint;endpoint;endpoint;endpoint;"),
            native: Some(Workload {
                canonical_service: "native".to_owned(),
                cluster: "native".to_owned(),
                ..Workload::default()
            }),
            proven: true,
        };
        let peer = sources.workload();
        assert_eq!(peer.principal, "spiffe://td/ns/san/sa/x");
        assert_eq!(peer.namespace, "san");
        assert_eq!(peer.workload, "exchanged");
        assert_eq!(peer.canonical_service, "endpoint");
        assert_eq!(peer.cluster, "native");
        assert_eq!(peer.app, "");
    }

    #[test]
    fn only_a_claim_and_a_certificate_can_contradict_each_other() {
        let san = "spiffe://td/ns/shop/sa/x";
        for (san, claimed, contradict) in [
            (Some(san), Some("bank"), true),
            (Some(san), Some("shop"), false),
            (Some(san), Some(""), false),
            (Some(san), None, false),
            (Some("spiffe://td/x"), Some("bank"), false),
            (None, Some("bank"), false),
        ] {
            let exchanged = claimed.map(|namespace| Metadata {
                namespace: namespace.to_owned(),
                ..Metadata::default()
            });
            let sources = Sources {
                san,
                exchanged: exchanged.as_ref(),
                ..Sources::default()
            };
            assert_eq!(sources.contradict(), contradict, "{san:?} {claimed:?}");
        }
    }

    #[test]
    fn nothing_known_leaves_everything_empty() {
        assert_eq!(Sources::default().workload(), Workload::default());
    }

    #[test]
    fn a_claimed_identity_is_believed_where_no_proof_is_wanted() {
        let claim = Metadata {
            identity: "spiffe://td/ns/claimed/sa/x".to_owned(),
            ..Metadata::default()
        };
        for (proven, san, principal) in [
            (false, None, "spiffe://td/ns/claimed/sa/x"),
            (true, None, ""),
            (
                false,
                Some("spiffe://td/ns/a/sa/b"),
                "spiffe://td/ns/a/sa/b",
            ),
            (true, Some("spiffe://td/ns/a/sa/b"), "spiffe://td/ns/a/sa/b"),
        ] {
            let sources = Sources {
                san,
                exchanged: Some(&claim),
                proven,
                ..Sources::default()
            };
            assert_eq!(sources.workload().principal, principal, "{proven} {san:?}");
        }
    }
}
