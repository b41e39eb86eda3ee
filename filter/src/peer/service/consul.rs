//! Consul's clusters. They are named by the SNI of their services, which has the parts of the
//! service in fixed places in front of the trust domain `ID.consul`:
//!
//! | SNI | Of |
//! | --- | --- |
//! | `[SUBSET.]SERVICE.NAMESPACE.DATACENTER.internal.ID.consul` | a service |
//! | `[SUBSET.]SERVICE.NAMESPACE.PARTITION.DATACENTER.internal-v1.ID.consul` | one in a partition |
//! | `SERVICE.NAMESPACE.PARTITION.PEER.external.ID.consul` | one of a peered Consul cluster |
//! | `NAME.default.DATACENTER.query.ID.consul` | a prepared query |
//!
//! Read in Consul's `agent/connect/sni.go`.

use super::Place;
use crate::peer::parts::Parts;

/// The SNI in a cluster's name. In front of it may be what the cluster is for, such as
/// `failover-target~` or the hash of its settings.
pub(super) fn host(cluster: &str) -> Option<&str> {
    let sni = cluster.rsplit('~').next()?;
    place(sni).map(|_| sni)
}

/// What an SNI tells of its service.
pub(super) fn place(sni: &str) -> Option<Place<'_>> {
    let parts = Parts::of(sni, '.')?;
    let (name, namespace, cluster) = match parts.as_slice() {
        [
            name,
            namespace,
            datacenter,
            "internal" | "query",
            _,
            "consul",
        ]
        | [_, name, namespace, datacenter, "internal", _, "consul"]
        | [name, namespace, _, datacenter, "internal-v1", _, "consul"]
        | [
            _,
            name,
            namespace,
            _,
            datacenter,
            "internal-v1",
            _,
            "consul",
        ] => (name, namespace, *datacenter),
        // The peer's name is this side's choice and no data centre.
        [name, namespace, _, _, "external", _, "consul"] => (name, namespace, ""),
        _ => return None,
    };
    Some(Place {
        name,
        namespace,
        cluster,
    })
}
