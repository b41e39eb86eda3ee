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

use super::parts::ServiceParts;
use crate::peer::parts::Parts;

/// The SNI in a cluster's name. It may have a prefix such as `failover-target~` or the hash of the
/// cluster's settings.
pub(super) fn host(cluster: &str) -> Option<&str> {
    let sni = cluster.rsplit('~').next()?;
    parts(sni).map(|_| sni)
}

/// The parts of an SNI.
pub(super) fn parts(sni: &str) -> Option<ServiceParts<'_>> {
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
    Some(ServiceParts {
        name,
        namespace,
        cluster,
    })
}
